//! The command as typed. Without quotes, a shell splits `promptshift transfer squad->textbookqa`: it passes
//! `squad-` and redirects standard output to a file `textbookqa`. This module detects that.

use std::ffi::{OsStr, OsString};
use std::fs::File;

use anyhow::bail;

use promptshift_text::transfer::{Transfer, shell_redirection};

/// The command, quoted for a shell. If a shell split `squad->textbookqa`, `halved` is the remaining word and
/// the file of the redirection; the two are joined again.
pub(super) fn command(halved: Option<(&str, &str)>) -> String {
    in_words(std::env::args_os().skip(1).collect(), halved)
}

fn in_words(typed: Vec<OsString>, mut halved: Option<(&str, &str)>) -> String {
    let mut command = "promptshift".to_string();
    for word in typed {
        command.push(' ');
        match halved.take_if(|(half, _)| word == *half) {
            Some((half, file)) => command.push_str(&format!("{half}>{}", quoted(file.as_ref()))),
            None => command.push_str(&quoted(&word)),
        }
    }
    command
}

/// A word, quoted for a shell.
pub(super) fn quoted(word: &OsStr) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./,:=".contains(c);
    match word.to_str() {
        Some(word) if word.chars().all(plain) && !word.is_empty() => word.to_string(),
        Some(word) => format!("'{}'", word.replace('\'', r"'\''")),
        None => {
            let bytes = word.as_encoded_bytes().iter();
            let escaped = bytes.map(|&byte| match byte {
                b'\\' | b'\'' => format!("\\{}", char::from(byte)),
                b' '..=b'~' => char::from(byte).to_string(),
                _ => format!("\\x{byte:02x}"),
            });
            format!("$'{}'", escaped.collect::<String>())
        }
    }
}

/// The transfer as typed and, if the shell split the arrow, the name of the file that receives the report.
///
/// # Errors
/// Not a transfer, or half of one while standard output is not a file that completes it.
pub fn typed_transfer(words: &[String]) -> anyhow::Result<(Transfer, Option<String>)> {
    let [word] = words else {
        return Ok((Transfer::parse(words)?, None));
    };
    if !word.ends_with(['-', '=']) {
        return Ok((Transfer::parse(words)?, None));
    }
    let wanted = format!("put it in quotes: promptshift transfer '{word}>TARGET'");
    let Some(file) = stdout_file() else {
        bail!(
            "'{word}' is half a transfer, but standard output is not a file in this folder; {wanted}"
        );
    };
    match shell_redirection(word, &file) {
        Some(transfer) => Ok((transfer, Some(file))),
        None => {
            bail!("'{word}' with standard output in the file '{file}' is not a transfer; {wanted}")
        }
    }
}

/// The name of the regular file in the current folder that standard output is redirected to. A redirection
/// from `a->b` has no folder in its name.
#[cfg(unix)]
fn stdout_file() -> Option<String> {
    use std::os::fd::AsFd;
    use std::os::unix::fs::MetadataExt;

    let stdout = File::from(std::io::stdout().as_fd().try_clone_to_owned().ok()?);
    let open = stdout.metadata().ok().filter(|open| open.is_file())?;
    std::fs::read_dir(".").ok()?.find_map(|entry| {
        let entry = entry.ok()?;
        let found = entry.metadata().ok()?;
        let same = found.dev() == open.dev() && found.ino() == open.ino();
        same.then(|| entry.file_name().to_string_lossy().into_owned())
    })
}

/// On other systems the file's name is not available.
#[cfg(not(unix))]
fn stdout_file() -> Option<String> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(words: &[&str]) -> Vec<OsString> {
        words.iter().map(OsString::from).collect()
    }

    #[test]
    fn a_word_that_is_also_a_flag_s_value_stays_in_place() {
        let typed = words(&[
            "transfer",
            "squad",
            "textbookqa",
            "--out",
            "squad",
            "--steps",
            "2",
        ]);
        assert_eq!(
            in_words(typed, None),
            "promptshift transfer squad textbookqa --out squad --steps 2"
        );
    }

    #[test]
    fn a_command_that_the_shell_split_is_joined_again() {
        let typed = words(&["transfer", "squad-", "--out", "a b"]);
        assert_eq!(
            in_words(typed, Some(("squad-", "textbookqa"))),
            "promptshift transfer squad->textbookqa --out 'a b'"
        );
        let typed = words(&["transfer", "squad->textbookqa", "--init", "text:it's"]);
        assert_eq!(
            in_words(typed, None),
            r"promptshift transfer 'squad->textbookqa' --init 'text:it'\''s'"
        );
    }

    #[cfg(unix)]
    #[test]
    fn non_utf8_bytes_are_quoted_for_a_shell() {
        use std::os::unix::ffi::OsStringExt;

        let word = OsString::from_vec(b"u'8\xff".to_vec());
        assert_eq!(quoted(&word), r"$'u\'8\xff'");
    }
}
