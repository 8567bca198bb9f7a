//! A short summary for terminals.

use comfy_table::{CellAlignment, Table, presets};

use super::comparison::{Comparison, MethodResult};
use super::markdown::scores;
use super::markdown::table::TextTable;

/// The score table and the answer of one comparison, as wide as it needs.
pub fn summary(comparison: &Comparison) -> String {
    let table = table(&scores::table(comparison));
    let title = format!("{} → {}", comparison.source, comparison.targets.join(", "));
    let seeds = comparison.tuned().map(seeds).collect::<Vec<_>>().join("; ");
    format!(
        "{title} ({})\n{table}\n{seeds}\n{}\n",
        comparison.model,
        comparison.answer.join(" ")
    )
}

/// A table as it stands on a terminal: without markdown's marks, numbers to the right.
pub fn table(rows: &TextTable) -> Table {
    let plain = |cell: &String| cell.replace("**", "").replace('\\', "");
    let mut table = Table::new();
    table
        .load_style(presets::UTF8_HORIZONTAL_ONLY)
        .set_header(rows.header.iter().map(plain));
    for row in &rows.rows {
        table.add_row(row.iter().map(plain));
    }
    for (index, column) in table.column_iter_mut().enumerate() {
        if !rows.words.contains(&index) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table
}

fn seeds(result: &MethodResult) -> String {
    let seeds: Vec<String> = result.seeds.iter().map(u64::to_string).collect();
    format!("{}: seeds {}", result.title.as_str(), seeds.join(", "))
}
