//! TensorBoard event files: scalars by step, as TensorFlow writes them.
//!
//! ```text
//! <folder>/events.out.tfevents.<seconds since 1970>.promptshift.<writer>
//! ```
//!
//! A file is a sequence of records: length (u64), masked CRC-32C of the length, message, masked CRC-32C of the message,
//! all little-endian (tensorflow/core/lib/io/record_writer.cc). A message is an `Event`
//! (tensorflow/core/util/event.proto), of which only what scalars need is declared here.
//!
//! Each process writes a file of its own, which programs read in the order of their names. When a training resumes, what
//! earlier files say about its remaining steps is removed first, so that no step is there twice.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use prost::Message;

/// What every event file has in its name.
const PREFIX: &str = "events.out.tfevents.";

/// The form of events without which TensorBoard guesses where a training was restarted.
const VERSION: &str = "brain.Event:2";

/// `SessionLog.SessionStatus.START`: makes a running TensorBoard forget this step and later ones.
const START: i32 = 1;

/// `Event`, in which at most one of the last three is present.
#[derive(Clone, PartialEq, Message)]
struct Event {
    /// Seconds since 1970.
    #[prost(double, tag = "1")]
    wall_time: f64,
    #[prost(int64, tag = "2")]
    step: i64,
    #[prost(string, optional, tag = "3")]
    file_version: Option<String>,
    #[prost(message, optional, tag = "5")]
    summary: Option<Summary>,
    #[prost(message, optional, tag = "7")]
    session_log: Option<SessionLog>,
}

#[derive(Clone, PartialEq, Message)]
struct Summary {
    #[prost(message, repeated, tag = "1")]
    value: Vec<Value>,
}

#[derive(Clone, PartialEq, Message)]
struct Value {
    #[prost(string, tag = "1")]
    tag: String,
    /// Optional, so that 0 is written.
    #[prost(float, optional, tag = "2")]
    simple_value: Option<f32>,
}

#[derive(Clone, PartialEq, Message)]
struct SessionLog {
    #[prost(int32, tag = "1")]
    status: i32,
}

/// A scalar: its tag, whose part before the first `/` groups figures, and its value.
pub type Scalar = (String, f64);

/// An event file that is being written.
#[derive(Debug)]
pub struct EventFile {
    file: File,
    /// The last step of each tag in earlier files.
    earlier: BTreeMap<String, usize>,
}

impl EventFile {
    /// A new file in `folder` that continues those of the same writer before `step`: their events from there on are
    /// removed. Files of other writers stay.
    ///
    /// # Errors
    /// A file can't be read, removed or written.
    pub fn continued(folder: &Path, writer: &str, step: usize) -> io::Result<Self> {
        fs::create_dir_all(folder)?;
        let mut earlier = BTreeMap::new();
        for path in files(folder)?.iter().filter(|path| is_of(path, writer)) {
            match step {
                0 => fs::remove_file(path)?,
                _ => cut(path, step, &mut earlier)?,
            }
        }
        let mut seconds = now() as u64;
        let file = loop {
            let name = format!("{PREFIX}{seconds:010}.promptshift.{writer}");
            let mut options = OpenOptions::new();
            match options
                .append(true)
                .create_new(true)
                .open(folder.join(name))
            {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => seconds += 1,
                opened => break opened?,
            }
        };
        let mut file = EventFile { file, earlier };
        let version = Event {
            file_version: Some(VERSION.to_owned()),
            ..Event::default()
        };
        file.write(0, version)?;
        if step > 0 {
            let session_log = Some(SessionLog { status: START });
            let start = Event {
                session_log,
                ..Event::default()
            };
            file.write(step, start)?;
        }
        Ok(file)
    }

    /// Writes scalars of a step, except those that an earlier file has.
    ///
    /// # Errors
    /// They can't be written.
    pub fn append(&mut self, step: usize, scalars: Vec<Scalar>) -> io::Result<()> {
        let is_new = |(tag, _): &Scalar| self.earlier.get(tag).is_none_or(|last| *last < step);
        let value: Vec<Value> = (scalars.into_iter().filter(is_new))
            .map(|(tag, value)| Value {
                tag,
                simple_value: Some(value as f32),
            })
            .collect();
        if value.is_empty() {
            return Ok(());
        }
        let event = Event {
            summary: Some(Summary { value }),
            ..Event::default()
        };
        self.write(step, event)
    }

    /// Writes a record at once, so that a reader never waits for the rest of one.
    fn write(&mut self, step: usize, event: Event) -> io::Result<()> {
        let event = Event {
            wall_time: now(),
            step: step as i64,
            ..event
        };
        self.file.write_all(&record(&event.encode_to_vec()))
    }
}

/// Whether a folder has files of writers whose names do not end with `own`.
///
/// # Errors
/// The folder can't be read.
pub fn has_others(folder: &Path, own: &str) -> io::Result<bool> {
    let is_own = |path: &PathBuf| path.to_string_lossy().ends_with(own);
    Ok(!files(folder)?.iter().all(is_own))
}

/// The last step of a tag in a writer's files; `None` if they don't have it.
///
/// # Errors
/// A file can't be read.
pub fn last_step(folder: &Path, writer: &str, tag: &str) -> io::Result<Option<usize>> {
    let own = files(folder)?
        .into_iter()
        .filter(|path| is_of(path, writer));
    let scalars = read(own)?.into_iter().filter(|(own, _, _)| own == tag);
    Ok(scalars.map(|(_, step, _)| step).max())
}

/// Tag, step and value of every scalar that this program logged in a folder, in the order of writing.
///
/// # Errors
/// A file can't be read.
pub fn scalars(folder: &Path) -> io::Result<Vec<(String, usize, f32)>> {
    read(files(folder)?.into_iter())
}

fn read(files: impl Iterator<Item = PathBuf>) -> io::Result<Vec<(String, usize, f32)>> {
    let mut found = Vec::new();
    for path in files {
        for (_, event) in Events(&fs::read(path)?, 0) {
            for value in event.summary.into_iter().flat_map(|summary| summary.value) {
                let number = value.simple_value.unwrap_or(f32::NAN);
                found.push((value.tag, event.step as usize, number));
            }
        }
    }
    Ok(found)
}

/// The event files of a folder, in order; none if there is no folder.
fn files(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let mut found = Vec::new();
    for entry in entries {
        let entry = entry?;
        // Files of other programs stay.
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if name.starts_with(PREFIX) && name.contains(".promptshift.") {
            found.push(entry.path());
        }
    }
    found.sort();
    Ok(found)
}

fn is_of(path: &Path, writer: &str) -> bool {
    path.extension().is_some_and(|end| end == writer)
}

/// Cuts a file before the first event of this step or a later one, and before a record that was not written completely.
/// Notes the last step of each remaining tag.
fn cut(path: &Path, step: usize, last: &mut BTreeMap<String, usize>) -> io::Result<()> {
    let bytes = fs::read(path)?;
    let mut end = 0;
    for (after, event) in Events(&bytes, 0) {
        if event.step as usize >= step {
            break;
        }
        end = after;
        for value in event.summary.into_iter().flat_map(|summary| summary.value) {
            last.insert(value.tag, event.step as usize);
        }
    }
    match end < bytes.len() {
        true => OpenOptions::new()
            .write(true)
            .open(path)?
            .set_len(end as u64),
        false => Ok(()),
    }
}

/// The events of a file's bytes from a position on, each with the position after it; ends at a damaged or incomplete one.
struct Events<'a>(&'a [u8], usize);

impl Iterator for Events<'_> {
    type Item = (usize, Event);

    fn next(&mut self) -> Option<Self::Item> {
        let rest = self.0.get(self.1..)?;
        let length: [u8; 8] = rest.get(..8)?.try_into().ok()?;
        let length = usize::try_from(u64::from_le_bytes(length)).ok()?;
        let message = rest.get(12..)?.get(..length)?;
        let whole = record(message);
        if !rest.starts_with(&whole) {
            return None;
        }
        self.1 += whole.len();
        Some((self.1, Event::decode(message).ok()?))
    }
}

fn record(message: &[u8]) -> Vec<u8> {
    let length = (message.len() as u64).to_le_bytes();
    let mut record = Vec::with_capacity(message.len() + 16);
    record.extend(length);
    record.extend(masked_crc(&length).to_le_bytes());
    record.extend(message);
    record.extend(masked_crc(message).to_le_bytes());
    record
}

/// CRC-32C, masked as in tensorflow/core/lib/hash/crc32c.h.
fn masked_crc(bytes: &[u8]) -> u32 {
    crc32c::crc32c(bytes)
        .rotate_right(15)
        .wrapping_add(0xa282_ead8)
}

/// Seconds since 1970.
fn now() -> f64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0.0, |since| since.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(folder: &Path) -> Vec<f32> {
        let all = scalars(folder).expect("read");
        all.into_iter().map(|(_, _, value)| value).collect()
    }

    fn loss(value: f64) -> Vec<Scalar> {
        vec![("train/loss".to_owned(), value)]
    }

    #[test]
    fn a_record_has_the_bytes_that_tensorflow_writes() {
        // The first record of every file of tensorboard 2.20 (EventFileWriter), but for the time.
        let event = Event {
            wall_time: 1.5,
            file_version: Some(VERSION.to_owned()),
            ..Event::default()
        };
        let wanted = [
            &[0x18, 0, 0, 0, 0, 0, 0, 0, 0xa3, 0x7f, 0x4b, 0x22][..],
            &[0x09, 0, 0, 0, 0, 0, 0, 0xf8, 0x3f, 0x1a, 0x0d][..],
            b"brain.Event:2",
        ]
        .concat();
        let written = record(&event.encode_to_vec());
        assert_eq!(written[..wanted.len()], wanted[..]);
        // RFC 3720, B.4: the CRC of 32 zeros is 0x8a9136aa.
        assert_eq!(masked_crc(&[0; 32]), 0x0fd7_fffa);
    }

    #[test]
    fn a_continued_file_has_every_step_once() {
        let folder = tempfile::tempdir().expect("a folder");
        let folder = folder.path();
        let mut first = EventFile::continued(folder, "a", 0).expect("written");
        for step in 1..=5 {
            first.append(step, loss(step as f64)).expect("written");
        }
        first
            .append(5, vec![("validation/score".to_owned(), 0.0)])
            .expect("written");
        // The process is killed while it writes a record.
        first.file.write_all(&[7, 0, 0]).expect("written");
        let mut second = EventFile::continued(folder, "a", 4).expect("written");
        for step in 3..=6 {
            second
                .append(step, loss(10.0 * step as f64))
                .expect("written");
        }
        assert_eq!(values(folder), [1.0, 2.0, 3.0, 40.0, 50.0, 60.0]);
        let all = scalars(folder).expect("read");
        let steps: Vec<usize> = all.into_iter().map(|(_, step, _)| step).collect();
        assert_eq!(steps, [1, 2, 3, 4, 5, 6]);
        let last = |writer, tag| last_step(folder, writer, tag).expect("read");
        assert_eq!(last("a", "train/loss"), Some(6));
        assert_eq!(last("a", "validation/score"), None);
        assert_eq!(last("b", "train/loss"), None);
        // Another writer's events are not continued, and files of other programs stay.
        fs::write(folder.join("events.out.tfevents.1.host"), b"x").expect("written");
        assert!(!has_others(folder, "a").expect("read"));
        for value in [7.0, 8.0] {
            let mut other = EventFile::continued(folder, "b", 0).expect("written");
            other.append(3, loss(value)).expect("written");
        }
        assert!(has_others(folder, "a").expect("read"));
        // In the order of the files' names, which begin with their time.
        let mut all = values(folder);
        all.sort_by(f32::total_cmp);
        assert_eq!(all, [1.0, 2.0, 3.0, 8.0, 40.0, 50.0, 60.0]);
        assert!(folder.join("events.out.tfevents.1.host").exists());
    }
}
