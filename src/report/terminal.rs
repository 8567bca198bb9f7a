//! A short summary for terminals.

use comfy_table::{CellAlignment, Table, presets};

use super::comparison::{Comparison, MethodResult};
use super::markdown::scores;

/// The score table and the answer of one comparison, as wide as it needs.
pub fn summary(comparison: &Comparison) -> String {
    let rows = scores::table(comparison);
    let mut table = Table::new();
    table
        .load_style(presets::UTF8_HORIZONTAL_ONLY)
        .set_header(rows.header.clone());
    for row in &rows.rows {
        table.add_row(row.iter().map(|cell| cell.replace("**", "")));
    }
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    let title = format!("{} → {}", comparison.source, comparison.targets.join(", "));
    let seeds = comparison.tuned().map(seeds).collect::<Vec<_>>().join("; ");
    format!(
        "{title} ({})\n{table}\n{seeds}\n{}\n",
        comparison.model,
        comparison.answer.join(" ")
    )
}

fn seeds(result: &MethodResult) -> String {
    let seeds: Vec<String> = result.seeds.iter().map(u64::to_string).collect();
    format!("{}: seeds {}", result.method.title(), seeds.join(", "))
}
