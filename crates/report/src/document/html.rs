//! A document as one self-contained HTML page: it includes style and figures, and fetches nothing.

use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd, html};

use super::{Block, Document, Table};

const STYLE: &str = include_str!("style.css");
const SORTING: &str = include_str!("sorting.js");

/// How readers can use a page's tables.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tables {
    /// Tables are static; the page has no script.
    Still,
    /// Tables can be sorted by column, with a short script in the page.
    Sortable,
}

/// The page of a document.
///
/// HTML in its words is shown as text: names and predictions come from files and must not inject anything into the
/// page.
pub fn page(document: &Document, tables: Tables) -> String {
    let script = match tables {
        Tables::Still => String::new(),
        Tables::Sortable => format!("<script>\n{SORTING}</script>\n"),
    };
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n<title>{}</title>\n\
         <style>\n{STYLE}</style>\n</head>\n<body>\n<main>\n{}</main>\n{script}</body>\n</html>\n",
        escaped(&document.title),
        blocks(&document.blocks)
    )
}

fn blocks(all: &[Block]) -> String {
    all.iter().map(block).collect()
}

fn block(block: &Block) -> String {
    match block {
        Block::Title(words) => format!("<h1>{}</h1>\n", inline(words)),
        Block::Heading(words) => format!("<h2>{}</h2>\n", inline(words)),
        Block::Text(words) => markdown(words),
        Block::Table(rows) => table(rows),
        Block::Figure(figure) => format!("<figure tabindex=\"0\">\n{}</figure>\n", figure.svg),
        Block::List(items) => {
            let items: String = (items.iter())
                .map(|item| format!("<li>{}</li>\n", inline(item)))
                .collect();
            format!("<ul>\n{items}</ul>\n")
        }
        Block::Details(summary, inside) => format!(
            "<details><summary>{}</summary>\n{}</details>\n",
            escaped(summary),
            blocks(inside)
        ),
    }
}

/// A table in a box that scrolls horizontally.
fn table(table: &Table) -> String {
    let row = |cells: &[String], tag: &str| {
        let cells: String = (cells.iter().enumerate())
            .map(|(column, cell)| {
                let class = match table.words.contains(&column) {
                    true => "",
                    false => " class=\"number\"",
                };
                format!("<{tag}{class}>{}</{tag}>", inline(cell))
            })
            .collect();
        format!("<tr>{cells}</tr>\n")
    };
    let rows: String = table.rows.iter().map(|cells| row(cells, "td")).collect();
    format!(
        "<div class=\"wide\" tabindex=\"0\">\n<table>\n<thead>\n{}</thead>\n<tbody>\n{rows}</tbody>\n\
         </table>\n</div>\n",
        row(&table.header, "th")
    )
}

/// Paragraphs of Markdown, with HTML shown as text.
fn markdown(words: &str) -> String {
    pushed(harmless(words))
}

/// One line of Markdown, without its paragraph tags.
fn inline(words: &str) -> String {
    let is_paragraph = |event: &Event| {
        matches!(
            event,
            Event::Start(Tag::Paragraph) | Event::End(TagEnd::Paragraph)
        )
    };
    pushed(harmless(words).filter(|event| !is_paragraph(event)))
}

fn harmless(words: &str) -> impl Iterator<Item = Event<'_>> {
    Parser::new_ext(words, Options::empty()).map(|event| match event {
        Event::Html(html) | Event::InlineHtml(html) => Event::Text(html),
        // Reports contain no links of their own, so any link comes from a file.
        Event::Start(Tag::Link { .. } | Tag::Image { .. })
        | Event::End(TagEnd::Link | TagEnd::Image) => Event::Text("".into()),
        other => other,
    })
}

fn pushed<'a>(events: impl Iterator<Item = Event<'a>>) -> String {
    let mut text = String::new();
    html::push_html(&mut text, events);
    text
}

/// Text escaped for element content and quoted attributes.
pub fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::Figure;
    use crate::fixture::assert_has;

    fn still(blocks: Vec<Block>) -> String {
        let title = "A & B".to_owned();
        page(&Document { title, blocks }, Tables::Still)
    }

    #[test]
    fn figures_are_included_in_the_page() {
        let figure = Figure {
            name: "scores.svg".to_owned(),
            alt: "Scores".to_owned(),
            svg: "<svg>drawn</svg>\n".to_owned(),
        };
        let page = still(vec![figure.into(), Block::text("after")]);
        assert_has(&page, "<title>A &amp; B</title>");
        assert_has(
            &page,
            "<figure tabindex=\"0\">\n<svg>drawn</svg>\n</figure>",
        );
        assert_has(&page, "<p>after</p>");
    }

    #[test]
    fn tables_scroll_in_their_own_box() {
        let table = Table::new(["a", "b"]).rows([vec!["**x**".to_owned(), "1".to_owned()]]);
        let page = still(vec![table.into()]);
        let row = "<tr><td><strong>x</strong></td><td class=\"number\">1</td></tr>";
        let holds = page.contains("<div class=\"wide\"") && page.contains(row);
        assert!(holds, "{page}");
        assert!(!page.contains("<script"), "{page}");
    }

    #[test]
    fn words_cannot_inject_html() {
        let page = still(vec![
            Block::Details("<img src=x>".to_owned(), vec![Block::text("*kept*")]),
            Block::text("<script>alert(1)</script>\n\nin a line <b onclick=x>bold</b>"),
            Block::List(vec!["<b >item</b>".to_owned()]),
            Block::heading("<script>"),
        ]);
        assert_has(&page, "<em>kept</em>");
        for tag in ["<script", "<img", "<b "] {
            assert!(!page.contains(tag), "{tag} in {page}");
        }
        assert_has(&page, "&lt;script&gt;alert(1)");
    }
}
