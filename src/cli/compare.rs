//! `promptshift compare A B`: does B lose against A?

use std::path::Path;

use anyhow::anyhow;
use clap::Args;
use comfy_table::Table;

use super::Failure;
use super::{print, table};
use promptshift_numbers::predictions;
use promptshift_numbers::record::folder::find;
use promptshift_report::number::{difference, list, metric_title, p_value, percent};
use promptshift_report::paired::sets::{Set, of_lines, of_records};
use promptshift_report::paired::{Row, compare};

/// Flags of `compare`.
#[derive(Debug, Args)]
pub struct Arguments {
    /// What is compared with: a folder with records, at any depth, or a file that `predict` wrote.
    #[arg(value_name = "A")]
    first: String,
    /// What may have lost: a folder or a file of the same domains, rows, cut and templates.
    #[arg(value_name = "B")]
    second: String,
    /// The metric to compare by: f1, exact_match or accuracy; by default the domain's main one.
    #[arg(long, value_name = "METRIC")]
    metric: Option<String>,
    /// A loss counts where its p value, adjusted for the number of rows, is below this.
    #[arg(long, default_value = "0.05", value_name = "P", value_parser = level)]
    alpha: f64,
}

/// Resampling reaches no further down than 2 in 10,001.
fn level(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(level) if (0.001..=0.5).contains(&level) => Ok(level),
        _ => Err("wanted a number from 0.001 to 0.5".to_string()),
    }
}

/// Runs it: table and verdict on standard output.
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
            "{path}: no such file or folder; wanted records or what `predict` wrote"
        ));
    }
    Ok(if place.is_file() {
        of_lines(path, predictions::read(place)?)
    } else {
        of_records(path, find(place)?)
    })
}

fn of_rows(rows: &[Row]) -> Table {
    let runs = |row: &Row| row.runs_p_value.map_or("–".to_string(), p_value);
    let mut table = table::new(&[
        "domain",
        "metric",
        "examples",
        "A",
        "B",
        "B − A [95 %]",
        "p",
        "p of these runs",
        "A alone right",
        "B alone right",
        "p of these (McNemar)",
    ]);
    for row in rows {
        let name = match &row.method {
            None => row.domain.clone(),
            Some(method) => format!("{method}, {}", row.domain),
        };
        let alone = row.discordant.as_ref();
        table.add_row([
            name,
            metric_title(row.metric).to_string(),
            row.examples.to_string(),
            percent(row.first),
            percent(row.second),
            difference(row.difference),
            p_value(row.p_value),
            runs(row),
            alone.map_or("–".to_string(), |alone| alone.first_only.to_string()),
            alone.map_or("–".to_string(), |alone| alone.second_only.to_string()),
            alone.map_or("–".to_string(), |alone| p_value(alone.p_value)),
        ]);
    }
    table::right_align(&mut table, 2..11);
    table
}

fn verdict(rows: &[Row], alpha: f64) -> String {
    let name = |row: &Row| match &row.method {
        None => row.domain.clone(),
        Some(method) => format!("{} ({method})", row.domain),
    };
    let losses: Vec<String> = rows
        .iter()
        .filter(|row| row.is_loss(alpha))
        .map(|row| {
            format!(
                "{} points {} on {}",
                percent(-row.difference.value),
                metric_title(row.metric),
                name(row)
            )
        })
        .collect();
    if !losses.is_empty() {
        return format!("B loses: {} (level {alpha}, Holm).", list(&losses));
    }
    let blindest = rows
        .iter()
        .max_by(|a, b| a.detectable.total_cmp(&b.detectable));
    let seen = blindest.map_or_else(String::new, |row| {
        format!(
            " On {}, the least sensitive, a difference of {} points would be told from none in four of five such comparisons.",
            name(row),
            percent(row.detectable)
        )
    });
    format!("No significant loss (level {alpha}, Holm).{seen}")
}
