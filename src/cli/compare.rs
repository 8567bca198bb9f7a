//! `promptshift compare A B`: tests whether B scores significantly lower than A.

use std::path::Path;

use anyhow::anyhow;
use clap::Args;
use comfy_table::Table;

use super::{Failure, print};
use promptshift_numbers::predictions;
use promptshift_numbers::record::folder::find;
use promptshift_report::document::or_dash;
use promptshift_report::number::{difference, drawn_p_value, metric_title, p_value, percent};
use promptshift_report::paired::sets::{Set, of_lines, of_records};
use promptshift_report::paired::verdict::verdict;
use promptshift_report::paired::{Row, compare};

/// Flags of `compare`.
#[derive(Debug, Args)]
pub struct Arguments {
    /// The reference: a folder with the records of one run or of several seeds, at any depth, or a file that `predict`
    /// wrote.
    #[arg(value_name = "A")]
    first: String,
    /// The set to test: a folder or file with the same domains, rows, input limits and templates.
    #[arg(value_name = "B")]
    second: String,
    /// The metric: f1, exact_match or accuracy [default: the domain's main one].
    #[arg(long, value_name = "METRIC")]
    metric: Option<String>,
    /// A loss is significant if its p value, adjusted for the number of rows, is below this.
    #[arg(long, default_value = "0.05", value_name = "P", value_parser = level)]
    alpha: f64,
}

/// The smallest possible p value of the resampling is 2 in 10,001.
fn level(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(level) if (0.001..=0.5).contains(&level) => Ok(level),
        _ => Err("wanted a number from 0.001 to 0.5".to_string()),
    }
}

/// Runs the command: table and verdict on standard output.
pub fn run(arguments: &Arguments) -> Result<(), Failure> {
    let first = read(&arguments.first).map_err(Failure::Incomparable)?;
    let second = read(&arguments.second).map_err(Failure::Incomparable)?;
    let rows = compare(&first, &second, arguments.metric.as_deref())
        .map_err(|error| Failure::Incomparable(error.into()))?;
    let shown = format!("{}\n{}", of_rows(&rows), verdict(&rows, arguments.alpha));
    print::line(shown).map_err(Failure::Incomparable)?;
    if rows.iter().any(|row| row.is_loss(arguments.alpha)) {
        return Err(Failure::Loss);
    }
    Ok(())
}

fn read(path: &str) -> anyhow::Result<Set> {
    let place = Path::new(path);
    if !place.exists() {
        return Err(anyhow!(
            "{path}: no such file or folder; wanted records or predictions from `predict`"
        ));
    }
    Ok(if place.is_file() {
        of_lines(path, predictions::read(place)?)
    } else {
        of_records(path, find(place)?)
    })
}

fn of_rows(rows: &[Row]) -> Table {
    // A p value that covers only these runs would look like stronger evidence than one over seeds.
    let is_single = |row: &Row| row.is_single.contains(&true);
    let shows_single = rows.iter().any(is_single);
    let mut header = vec![
        "domain",
        "metric",
        "rows",
        "runs",
        "A",
        "B",
        "B − A [95 %]",
        "p",
    ];
    if shows_single {
        header.extend(["alone right", "McNemar p", "flips p"]);
    }
    let mut table = print::table(&header);
    for row in rows {
        let name = match &row.method {
            None => row.domain.clone(),
            Some(method) => format!("{method}, {}", row.domain),
        };
        let mut cells = vec![
            name,
            metric_title(row.metric).to_string(),
            row.examples.to_string(),
            row.runs.map(|runs| runs.to_string()).join(", "),
            percent(row.first),
            percent(row.second),
            difference(row.difference),
            or_dash(row.p_value, drawn_p_value),
        ];
        if shows_single {
            let alone = row.discordant.as_ref();
            cells.extend([
                or_dash(alone, |alone| {
                    format!("{}, {}", alone.first_only, alone.second_only)
                }),
                or_dash(alone, |alone| p_value(alone.p_value)),
                or_dash(row.runs_p_value.filter(|_| is_single(row)), drawn_p_value),
            ]);
        }
        table.add_row(cells);
    }
    print::right_align(&mut table, 2..header.len());
    table
}
