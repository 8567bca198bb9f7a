//! A document as GitHub's Markdown.

use super::{Block, Document, Table};
use crate::number::joined;

impl Document {
    /// As Markdown, with figures in `figure_folder`.
    pub fn markdown(&self, figure_folder: &str) -> String {
        blocks(&self.blocks, Some(figure_folder)) + "\n"
    }

    /// As Markdown without figures.
    pub fn without_figures(&self) -> String {
        blocks(&self.blocks, None) + "\n"
    }
}

fn blocks(all: &[Block], figure_folder: Option<&str>) -> String {
    let shown = all.iter().filter_map(|block| match block {
        Block::Figure(figure) => {
            figure_folder.map(|folder| {
                // A bracket would end the text.
                let alt = figure.alt.replace(['[', ']'], "");
                format!("![{alt}]({folder}/{})", figure.name)
            })
        }
        Block::Title(words) => Some(format!("# {words}")),
        Block::Heading(words) => Some(format!("## {words}")),
        Block::Text(words) => Some(words.trim_end().to_owned()),
        Block::Table(rows) => Some(table(rows)),
        Block::List(items) => Some(format!("- {}", items.join("\n- "))),
        Block::Details(summary, inside) => Some(format!(
            "<details><summary>{}</summary>\n\n{}\n\n</details>",
            // A summary is raw HTML, so it must not contain HTML's special characters.
            summary.replace(['<', '>', '&'], ""),
            blocks(inside, figure_folder)
        )),
    });
    joined("\n\n", shown)
}

fn table(table: &Table) -> String {
    let line = |cells: &[String]| {
        let cells = cells.iter().map(|cell| cell.replace('|', "\\|"));
        format!("| {} |", joined(" | ", cells))
    };
    let rule = |column: usize| match table.words.contains(&column) {
        true => "---".to_owned(),
        false => "---:".to_owned(),
    };
    let rules: Vec<String> = (0..table.header.len()).map(rule).collect();
    let lines = ([&table.header, &rules].into_iter().chain(&table.rows)).map(|cells| line(cells));
    joined("\n", lines)
}

/// Text escaped for Markdown: on one line, with a backslash before every special character. (A bar is special only in
/// tables, which escape it.)
pub fn plain(text: &str) -> String {
    let line = joined(" ", text.split_whitespace());
    let letters: Vec<char> = line.chars().collect();
    let mut shown = String::with_capacity(line.len());
    for (index, letter) in letters.iter().enumerate() {
        // An underscore inside a word is not special, so names stay as they are.
        let inside = *letter == '_'
            && index > 0
            && letters[index - 1].is_alphanumeric()
            && (letters.get(index + 1)).is_some_and(|next| next.is_alphanumeric());
        if "\\`*_{}[]<>#~!&$".contains(*letter) && !inside {
            shown.push('\\');
        }
        shown.push(*letter);
    }
    shown
}

/// [`plain`] text in quotation marks, or `(nothing)` if it is empty.
pub fn quoted(text: &str) -> String {
    match text.trim().is_empty() {
        true => "(nothing)".to_owned(),
        false => format!("“{}”", plain(text)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_from_files_is_escaped() {
        assert_eq!(plain("a  *b*\n<c> | d_e"), r"a \*b\* \<c\> | d_e");
        assert_eq!(plain("_a_ `b`"), r"\_a\_ \`b\`");
        assert_eq!(quoted(" \n"), "(nothing)");
        assert_eq!(quoted("U . S ."), "“U . S .”");
    }

    #[test]
    fn blocks_are_separated_and_bars_are_escaped() {
        let table = Table::new(["a", "b"]).rows([vec!["x|y".to_owned(), "1".to_owned()]]);
        let document = Document {
            title: String::new(),
            blocks: vec![
                Block::Title("T".to_owned()),
                Block::Details("<More>".to_owned(), vec![table.into()]),
                Block::List(vec!["one".to_owned(), "two".to_owned()]),
            ],
        };
        assert_eq!(
            document.markdown(""),
            "# T\n\n<details><summary>More</summary>\n\n| a | b |\n| --- | ---: |\n| x\\|y | 1 |\n\n\
             </details>\n\n- one\n- two\n"
        );
    }
}
