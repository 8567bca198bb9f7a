//! A document on a terminal: without Markdown's marks, tables no wider than the screen, no figures.

use comfy_table::{CellAlignment, ContentArrangement, presets};
use pulldown_cmark::{Event, Parser, TagEnd};

use super::{Block, Document, Table};

/// The widest that a table gets on any screen, and where there is none: longer lines are hard to follow.
const WIDEST: u16 = 120;

/// The document as text.
pub fn text(document: &Document) -> String {
    let blocks = document.blocks.iter().filter_map(block);
    blocks.collect::<Vec<_>>().join("\n") + "\n"
}

fn block(block: &Block) -> Option<String> {
    match block {
        Block::Title(words) | Block::Heading(words) | Block::Text(words) => Some(unmarked(words)),
        Block::Table(rows) => Some(table(rows)),
        Block::List(items) => {
            let items: Vec<String> = items
                .iter()
                .map(|item| format!("- {}", unmarked(item)))
                .collect();
            Some(items.join("\n"))
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

/// What Markdown's words say.
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
    fn marks_are_left_out() {
        assert_eq!(unmarked(r"**a\_b** `c` \<d\>"), "a_b c <d>");
        assert_eq!(unmarked("− model tuning [95 %]"), "− model tuning [95 %]");
        assert_eq!(unmarked("–"), "–");
    }
}
