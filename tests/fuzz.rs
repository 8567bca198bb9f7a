//! The short form of fuzzing, for every compiler: files of each kind, each mutated in about a hundred ways, the same
//! in every run. `fuzz/` has the long form, which searches for new mutations. It is a separate binary because memory
//! is counted over the whole process.

#[path = "fuzz/mutation.rs"]
mod mutation;
#[allow(dead_code)]
#[path = "../fuzz/src/readers/mod.rs"]
mod readers;
#[path = "fuzz/seeds.rs"]
mod seeds;

use std::panic;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

use promptshift::foreign;

use mutation::mutated;
use readers::{KINDS, Kind, Outcome};
use seeds::seeds;

/// The number of mutated files of each kind, over all its seeds; fewer for slow readers. `PROMPTSHIFT_CHANGES=100`
/// multiplies it by a hundred.
fn count(kind: Kind) -> u64 {
    let times = std::env::var("PROMPTSHIFT_CHANGES").map_or(1, |times| {
        times.parse().expect("PROMPTSHIFT_CHANGES: a whole number")
    });
    let once = match kind.name {
        "safetensors" | "config" | "gguf" => 250,
        "own_prompt" | "own_adapter" | "trained" | "record" => 250,
        _ => 500,
    };
    times * once
}

/// The time limit for reading a file, a hundred times what it takes on an idle machine.
const LONGEST: Duration = Duration::from_secs(20);
/// The path of the file that is being read, which remains even if reading ends the process.
fn kept(kind: Kind) -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("fuzz-{}", kind.name))
}

/// Mutates each seed and reads the result; returns the first fault, if any. `tell` gets a description of every file
/// before it is read.
fn first_fault(kind: Kind, seeds: &[Vec<u8>], tell: impl Fn(String)) -> Option<String> {
    let each = count(kind) / seeds.len() as u64;
    for (at, seed) in seeds.iter().enumerate() {
        for number in 0..each {
            let bytes = mutated(seed, seeds, number);
            std::fs::write(kept(kind), &bytes).expect("Cargo's folder can be written to");
            tell(format!("{}, seed {at}, change {number}", kind.name));
            match panic::catch_unwind(|| kind.measured(&bytes)) {
                Ok(Ok(_)) => {}
                Ok(Err(fault)) => return Some(fault),
                Err(_) => return Some("it panics".to_string()),
            }
        }
    }
    None
}

/// Reads mutated files of a kind, each within the time limit.
fn run(kind: Kind) {
    let (tell, told) = channel();
    let work = thread::spawn(move || {
        let seeds = seeds(kind.name);
        first_fault(kind, &seeds, |name| tell.send(name).expect("someone waits"))
    });
    let mut last = String::new();
    let fault = loop {
        match told.recv_timeout(LONGEST) {
            Ok(name) => last = name,
            Err(RecvTimeoutError::Disconnected) => {
                break work.join().expect("faults are caught");
            }
            Err(RecvTimeoutError::Timeout) => break Some(format!("it takes over {LONGEST:?}")),
        }
    };
    if let Some(fault) = fault {
        panic!("{last}: {fault}; the file is {}", kept(kind).display());
    }
    std::fs::remove_file(kept(kind)).expect("it was written");
}

/// The seeds of a kind that are refused, in words: mutating them would reach nothing.
fn refused_seeds(kind: Kind) -> Vec<String> {
    let read = seeds(kind.name);
    let read = read.iter().enumerate();
    read.filter_map(|(at, seed)| match (kind.read)(seed) {
        Outcome::Accepted => None,
        Outcome::Refused(why) => Some(format!("{}, seed {at}: {why}", kind.name)),
    })
    .collect()
}

#[test]
fn damaged_files_are_refused_without_a_panic_a_hang_or_growth() {
    let ends = panic::take_hook();
    panic::set_hook(Box::new(move |information| {
        // Panics that are turned into errors of a file do not count.
        if !foreign::is_read() {
            ends(information);
        }
    }));
    let refused: Vec<String> = KINDS.into_iter().flat_map(refused_seeds).collect();
    assert!(refused.is_empty(), "{}", refused.join("\n"));
    let only = std::env::var("PROMPTSHIFT_KIND").ok();
    let asked = |kind: &Kind| only.as_ref().is_none_or(|name| name == kind.name);
    for kind in KINDS.into_iter().filter(asked) {
        let started = Instant::now();
        run(kind);
        println!("{}: {:.1?}", kind.name, started.elapsed());
    }
}

/// Writes the files that fuzzing starts from, a folder for each target.
#[test]
#[ignore = "it writes fuzz/corpus"]
fn the_corpus_is_written() {
    for kind in KINDS {
        let folder = readers::repository().join("fuzz/corpus").join(kind.name);
        std::fs::create_dir_all(&folder).expect("a folder can be made");
        for (at, seed) in seeds(kind.name).iter().enumerate() {
            std::fs::write(folder.join(format!("seed-{at}")), seed).expect("written");
        }
    }
}
