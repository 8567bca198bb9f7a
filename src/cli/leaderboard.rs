//! `promptshift leaderboard DIR...`: one table of all records found, with a row for each method and model.

use super::print;
use std::io::IsTerminal;
use std::path::PathBuf;

use clap::Args;

use promptshift_numbers::record::folder::{find, unfinished};
use promptshift_report::document::terminal;
use promptshift_report::leaderboard;
use promptshift_text::atomic_file;

/// Flags of `leaderboard`.
#[derive(Debug, Args)]
pub struct Arguments {
    /// Folders with records, at any depth.
    #[arg(required = true, value_name = "DIR")]
    folders: Vec<PathBuf>,
    /// The new folder for leaderboard.html (with sortable columns) and leaderboard.json; an existing one is never
    /// changed.
    #[arg(long, value_name = "DIR", default_value = "leaderboard")]
    out: PathBuf,
    /// Print the JSON instead of the table.
    #[arg(long)]
    json: bool,
}

/// Runs the command.
pub fn run(arguments: Arguments) -> anyhow::Result<()> {
    atomic_file::check(&arguments.out)?;
    let (mut records, mut begun) = (Vec::new(), Vec::new());
    for folder in &arguments.folders {
        records.extend(find(folder)?);
        begun.extend(unfinished(folder)?);
    }
    let board = leaderboard::leaderboard(&records, &begun)?;
    let json = board.json();
    let files = [
        ("leaderboard.html", board.page().into_bytes()),
        ("leaderboard.json", json.clone().into_bytes()),
    ];
    atomic_file::write_folder(&arguments.out, &files)?;
    let text = if arguments.json {
        json
    } else if std::io::stdout().is_terminal() {
        let page = arguments.out.join("leaderboard.html");
        format!(
            "{}\nleaderboard: {}\n",
            terminal::text(&board.document()),
            page.display()
        )
    } else {
        board.document().markdown("")
    };
    print::text(text)
}
