//! Writes the user's flags for sbatch as lines of a script; refuses flags that would break the scripts.

use anyhow::bail;

/// Flags that only promptshift's scripts may set: long names, short form, reason.
const OWN: [(&[&str], Option<char>, &str); 12] = [
    (
        &["array"],
        Some('a'),
        "promptshift gives each task its cells; --tasks-at-a-time limits how many run",
    ),
    (
        &["dependency"],
        Some('d'),
        "promptshift sets its jobs' dependencies",
    ),
    (&["wrap"], None, "the scripts are promptshift's"),
    (
        &["requeue", "no-requeue"],
        None,
        "a script requeues its own task, at most three times",
    ),
    (&["open-mode"], None, "a requeued task appends to its log"),
    (
        &["output", "error", "input"],
        None,
        "logs are beside the scripts, where `promptshift slurm status` looks",
    ),
    (
        &["job-name"],
        Some('J'),
        "jobs are named after what they compute",
    ),
    (
        &["chdir"],
        Some('D'),
        "the study's paths are relative to this folder",
    ),
    (
        &["parsable", "quiet", "verbose"],
        Some('Q'),
        "promptshift reads what sbatch prints",
    ),
    (
        &["hold"],
        Some('H'),
        "a held job blocks those that depend on it; without --submit the scripts are only written",
    ),
    (
        &["wait", "test-only"],
        Some('W'),
        "promptshift exits when the jobs are submitted",
    ),
    (
        &["clusters"],
        Some('M'),
        "promptshift queries only this machine's cluster",
    ),
];

/// Short forms of flags in `OWN` that its table leaves out.
const OWN_SHORT: [(char, &str); 4] = [
    ('o', "output"),
    ('e', "error"),
    ('i', "input"),
    ('v', "verbose"),
];

/// Flags with their values: `--partition=gpu`, `-t 4:00:00`, `--time 4:00:00`. The signal before the time
/// limit is separate, since the scripts have a default for it.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Flags {
    /// The text after `#SBATCH`.
    pub lines: Vec<String>,
    /// The same flags as on a command line, where variables such as SBATCH_PARTITION do not override them.
    pub words: Vec<String>,
    /// `USR1@300`.
    pub signal: Option<String>,
}

impl Flags {
    /// # Errors
    /// One would break the scripts, or is not a flag.
    pub fn of(words: &[String]) -> anyhow::Result<Flags> {
        let mut flags = Flags::default();
        let mut words = words.iter().peekable();
        while let Some(word) = words.next() {
            if !word.starts_with('-') || word.trim_matches('-').is_empty() {
                bail!("-- {word}: wanted a flag of sbatch, as in --partition=gpu");
            }
            let (name, mut value) = split(word);
            if value.is_none() && words.peek().is_some_and(|next| !next.starts_with('-')) {
                value = words.next().map(String::as_str);
            }
            check(word, name)?;
            if name.len() > 3 && "--signal".starts_with(name) {
                flags.signal = Some(signal(value.unwrap_or(""))?);
                continue;
            }
            flags.lines.push(match value {
                Some(value) if name.starts_with("--") => format!("{name}={}", quoted(value)?),
                Some(value) => format!("{name} {}", quoted(value)?),
                None => name.to_owned(),
            });
            flags.words.push(match value {
                Some(value) if name.starts_with("--") => format!("{name}={value}"),
                Some(value) => format!("{name}{value}"),
                None => name.to_owned(),
            });
        }
        Ok(flags)
    }
}

/// A flag's name with its dashes, and the rest of the same word.
fn split(word: &str) -> (&str, Option<&str>) {
    match word.strip_prefix("--") {
        Some(_) => match word.split_once('=') {
            Some((name, value)) => (name, Some(value)),
            None => (word, None),
        },
        None => {
            let end = word.char_indices().nth(2).map_or(word.len(), |(at, _)| at);
            let (name, value) = word.split_at(end);
            (
                name,
                Some(value.trim_start_matches('=')).filter(|value| !value.is_empty()),
            )
        }
    }
}

fn check(word: &str, name: &str) -> anyhow::Result<()> {
    for (names, short, why) in OWN {
        let is_own = match name.strip_prefix("--") {
            // sbatch accepts any prefix of a long name.
            Some(long) => names.iter().any(|own| own.starts_with(long)),
            None => {
                let letter = name.chars().nth(1);
                let other = OWN_SHORT.iter().find(|(short, _)| Some(*short) == letter);
                letter.is_some() && letter == short
                    || other.is_some_and(|(_, own)| names.contains(own))
            }
        };
        if is_own {
            bail!("-- {word}: {why}; leave it out");
        }
    }
    Ok(())
}

/// Checks that the signal is USR1 and goes to the step, where it makes the program write a checkpoint.
fn signal(value: &str) -> anyhow::Result<String> {
    let seconds = value
        .strip_prefix("R:")
        .unwrap_or(value)
        .strip_prefix("USR1@");
    match seconds.and_then(|seconds| seconds.parse::<u16>().ok()) {
        Some(_) => Ok(value.to_owned()),
        None => bail!(
            "-- --signal={value}: wanted USR1@SECONDS, without B:, so that the signal reaches the program, which then \
             writes a checkpoint"
        ),
    }
}

/// A value as written in a line of a script.
pub fn quoted(value: &str) -> anyhow::Result<String> {
    if value.contains(['"', '\\', '\n', '\'']) {
        bail!(
            "{value:?}: can't be written in an #SBATCH line; wanted it without quotes, \\ and line breaks"
        );
    }
    Ok(match value.contains([' ', '\t', '#']) {
        true => format!("\"{value}\""),
        false => value.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flags(line: &[&str]) -> anyhow::Result<Flags> {
        Flags::of(&line.iter().map(|word| word.to_string()).collect::<Vec<_>>())
    }

    #[test]
    fn flags_keep_their_values() {
        let line = [
            "--partition=gpu",
            "--time",
            "4:00:00",
            "-c",
            "4",
            "-Aproj",
            "--exclusive",
            "--comment=a b",
            "--gres=gpu:1",
        ];
        assert_eq!(
            flags(&line).expect("flags").lines,
            [
                "--partition=gpu",
                "--time=4:00:00",
                "-c 4",
                "-A proj",
                "--exclusive",
                "--comment=\"a b\"",
                "--gres=gpu:1"
            ]
        );
    }

    #[test]
    fn what_the_scripts_rely_on_is_refused_however_it_is_spelt() {
        for word in [
            "--array=0-3",
            "--arr=0-3",
            "-a0-3",
            "--dependency=singleton",
            "-d",
            "--wrap=x",
            "--requeue",
            "--no-requeue",
            "--no-req",
            "--open-mode=truncate",
            "--output=x",
            "-o",
            "-e",
            "-J",
            "--chdir=/",
            "-D",
            "--parsable",
            "-H",
            "--wait",
            "-W",
            "--test-only",
            "-M",
            "--clusters=all",
            "--wr=ls",
        ] {
            let error = flags(&[word]).expect_err(word).to_string();
            assert!(error.contains(word), "{error}");
        }
        for word in ["script.sh", "--", "-"] {
            assert!(flags(&[word]).is_err(), "{word}");
        }
        assert!(flags(&["--comment=a\nb"]).is_err());
        for word in [
            "--wait-all-nodes=1",
            "--nodes=1",
            "--ntasks=1",
            "--exclude=n1",
            "--constraint=a100",
            "--nice=10",
        ] {
            assert!(flags(&[word]).is_ok(), "{word}");
        }
    }

    #[test]
    fn a_command_line_has_what_a_script_has() {
        let given = flags(&["-c", "4", "--comment", "a b", "--exclusive"]).expect("flags");
        assert_eq!(given.words, ["-c4", "--comment=a b", "--exclusive"]);
    }

    #[test]
    fn another_time_of_the_signal_is_taken_but_no_other_signal() {
        let given = flags(&["--signal=USR1@300"]).expect("a signal");
        assert_eq!(
            (given.signal.as_deref(), given.lines.len()),
            (Some("USR1@300"), 0)
        );
        for word in [
            "--signal=B:USR1@60",
            "--signal=TERM@60",
            "--signal=USR1",
            "--sig=INT@1",
        ] {
            assert!(flags(&[word]).is_err(), "{word}");
        }
    }
}
