//! A document as text for the terminal: without Markdown's marks and figures, with tables no wider than the screen.

use comfy_table::{CellAlignment, ContentArrangement, presets};
use pulldown_cmark::{Event, Parser, TagEnd};

use super::{Block, Document, Table};
use crate::number::joined;

/// The greatest width of a table, also without a terminal: longer lines are hard to read.
const WIDEST: u16 = 120;

/// The document as text.
pub fn text(document: &Document) -> String {
    let blocks = document.blocks.iter().filter_map(block);
    joined("\n", blocks) + "\n"
}

fn block(block: &Block) -> Option<String> {
    match block {
        Block::Title(words) | Block::Heading(words) | Block::Text(words) => Some(unmarked(words)),
        Block::Table(rows) => Some(table(rows)),
        Block::List(items) => {
            let items = items.iter().map(|item| format!("- {}", unmarked(item)));
            Some(joined("\n", items))
        }
        Block::Figure(_) | Block::Details(..) => None,
    }
}

fn table(rows: &Table) -> String {
    let unmarked = |cell: &String| unmarked(cell);
    let mut table = comfy_table::Table::new();
    table
        .load_style(presets::UTF8_HORIZONTAL_ONLY)
        .set_content_arrangement(ContentArrangement::Dynamic)
        .set_header(rows.header.iter().map(unmarked));
    let width = table.width().unwrap_or(WIDEST).min(WIDEST);
    table.set_width(width);
    for row in &rows.rows {
        table.add_row(row.iter().map(unmarked));
    }
    for (index, column) in table.column_iter_mut().enumerate() {
        if !rows.words.contains(&index) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table.to_string()
}

/// Markdown without its marks.
fn unmarked(words: &str) -> String {
    let mut text = String::new();
    for event in Parser::new(words) {
        match event {
            Event::Text(words)
            | Event::Code(words)
            | Event::Html(words)
            | Event::InlineHtml(words) => text.push_str(&words),
            Event::SoftBreak | Event::HardBreak | Event::End(TagEnd::Paragraph) => text.push('\n'),
            _ => {}
        }
    }
    text.truncate(text.trim_end().len());
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_are_removed() {
        assert_eq!(unmarked(r"**a\_b** `c` \<d\>"), "a_b c <d>");
        assert_eq!(unmarked("− model tuning [95 %]"), "− model tuning [95 %]");
        assert_eq!(unmarked("–"), "–");
    }
}
