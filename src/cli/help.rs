//! The first help screen (three typical commands, then every command by purpose), and completion scripts for shells.

use std::fmt::Write;

use clap::{Args, Command};
use clap_complete::{Shell, generate};

use super::print;

/// Headings of flags, in the order of a study.
pub const DATA: &str = "Data";
pub const MODEL: &str = "Model";
pub const TRAINING: &str = "Training";
pub const EVALUATION: &str = "Evaluation";
pub const OUTPUT: &str = "Output";
pub const COMPUTING: &str = "Computing";
pub const MACHINES: &str = "Several machines";

/// Typical first commands.
const FIRST: &str = "  promptshift transfer 'squad->textbookqa'   tune on SQuAD, score SQuAD and TextbookQA, report the gap
  promptshift list                           domains, models and methods to choose from
  promptshift report DIR                     the report again, from its records";

/// Commands by purpose, in reading order.
const GROUPS: [(&str, &[&str]); 4] = [
    ("Run", &["transfer", "ablate", "run", "slurm", "predict"]),
    (
        "Read results",
        &[
            "report",
            "compare",
            "power",
            "leaderboard",
            "export",
            "score",
            "inspect",
            "redact",
        ],
    ),
    (
        "Choose and prepare",
        &[
            "probe", "list", "fetch", "verify", "propose", "prompt", "adapter",
        ],
    ),
    ("Shell", &["completions", "help"]),
];

const EXIT_CODES: &str = "\
Exit codes: 0 done; 1 bad data, model or records, or a run or download that failed; 2 a command line
that can't be understood; 75, 130, 129 ended by SIGTERM or SIGUSR1, by Ctrl-C, by SIGHUP
(checkpoints are kept, and the same command resumes). Of `compare`: 0 no significant loss; 1 a
significant loss; 3 bad data, or sets that can't be compared.";

/// The command-line parser with its first screen.
pub fn with_first_screen(command: Command) -> Command {
    let screen = first_screen(&command);
    command.help_template(screen)
}

fn first_screen(command: &Command) -> String {
    let mut screen = format!("{{about-with-newline}}\n{FIRST}\n");
    for (heading, names) in GROUPS {
        writeln!(screen, "\n{heading}:").expect("strings take text");
        for name in names {
            let about = match *name {
                "help" => "Print this screen, or the help of a command".to_owned(),
                name => (command.find_subcommand(name))
                    .and_then(Command::get_about)
                    .map_or(String::new(), ToString::to_string),
            };
            writeln!(screen, "  {name:<12} {about}").expect("strings take text");
        }
    }
    screen
        + "\n`promptshift COMMAND --help` explains every flag, `-h` lists them briefly.\n\n"
        + EXIT_CODES
}

/// Flags of `completions`.
#[derive(Debug, Args)]
pub struct Completions {
    /// The shell.
    shell: Shell,
}

/// Prints a completion script for this parser.
///
/// # Errors
/// Standard output can't be written to.
pub fn complete(arguments: &Completions, mut command: Command) -> anyhow::Result<()> {
    let mut script = Vec::new();
    generate(arguments.shell, &mut command, "promptshift", &mut script);
    print::text(String::from_utf8_lossy(&script))
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;
    use crate::cli::Cli;

    #[test]
    fn every_command_that_is_not_hidden_is_on_the_first_screen_once() {
        let command = Cli::command();
        let mut shown: Vec<&str> = GROUPS
            .iter()
            .flat_map(|(_, names)| *names)
            .copied()
            .collect();
        shown.retain(|name| *name != "help");
        shown.sort_unstable();
        let visible = command.get_subcommands().filter(|one| !one.is_hide_set());
        let mut visible: Vec<&str> = visible.map(Command::get_name).collect();
        visible.sort_unstable();
        assert_eq!(shown, visible);
        let screen = first_screen(&command);
        assert!(
            screen.lines().all(|line| line.chars().count() <= 106),
            "{screen}"
        );
    }
}
