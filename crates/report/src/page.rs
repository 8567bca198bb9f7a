//! The report as one HTML page: the markdown itself, rendered, with its figures inside.
//!
//! A page is made from the markdown and not beside it, so that the two cannot come to say different
//! things. It opens from disk: style and figures lie in it, and nothing is fetched.

use pulldown_cmark::{CowStr, Event, Options, Parser, Tag, TagEnd, html};

use super::figures::Figure;

const STYLE: &str = include_str!("page/style.css");
const SORTING: &str = include_str!("page/sorting.js");

/// What a reader can do with a page's tables.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tables {
    /// Read them; the page has no script.
    Still,
    /// Sort them by a column, with a few lines of script that lie in the page.
    Sortable,
}

/// A page of `markdown`; an image whose file has the name of one of `figures` becomes that figure.
///
/// HTML in the markdown is shown as text, apart from what folds a part away
/// (`<details><summary>words</summary>` and `</details>`, each on a line of its own): names and
/// predictions come from files, and must not be able to put anything else into a page.
pub fn page(title: &str, markdown: &str, figures: &[Figure], tables: Tables) -> String {
    let script = match tables {
        Tables::Still => String::new(),
        Tables::Sortable => format!("<script>\n{SORTING}</script>\n"),
    };
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n<title>{}</title>\n\
         <style>\n{STYLE}</style>\n</head>\n<body>\n<main>\n{}</main>\n{script}</body>\n</html>\n",
        escaped(title),
        body(markdown, figures)
    )
}

fn body(markdown: &str, figures: &[Figure]) -> String {
    let events: Vec<Event> = Parser::new_ext(markdown, Options::ENABLE_TABLES).collect();
    let mut shown = Vec::with_capacity(events.len());
    let mut rest = events.as_slice();
    while let Some((event, after)) = rest.split_first() {
        rest = match picture(rest, figures) {
            Some((figure, after)) => {
                shown.push(figure);
                after
            }
            None => {
                shown.extend(harmless(event));
                after
            }
        };
    }
    let mut text = String::new();
    html::push_html(&mut text, shown.into_iter());
    text
}

/// A paragraph of nothing but an image that is one of the figures, and what comes after it.
fn picture<'a, 'e>(
    events: &'a [Event<'e>],
    figures: &[Figure],
) -> Option<(Event<'e>, &'a [Event<'e>])> {
    let [
        Event::Start(Tag::Paragraph),
        Event::Start(Tag::Image { dest_url, .. }),
        inside @ ..,
    ] = events
    else {
        return None;
    };
    let end = inside
        .iter()
        .position(|event| *event == Event::End(TagEnd::Image))?;
    let [Event::End(TagEnd::Paragraph), after @ ..] = &inside[end + 1..] else {
        return None;
    };
    let file = dest_url.rsplit('/').next()?;
    let figure = figures.iter().find(|figure| figure.name == file)?;
    let html = format!("<figure tabindex=\"0\">\n{}</figure>\n", figure.svg);
    Some((Event::Html(html.into()), after))
}

/// An event with its HTML disarmed and its table in a box that scrolls by itself.
fn harmless<'e>(event: &Event<'e>) -> Vec<Event<'e>> {
    const BOX: &str = "<div class=\"wide\" tabindex=\"0\">\n";
    match event {
        Event::Html(html) if folds(html) => vec![event.clone()],
        Event::Html(html) | Event::InlineHtml(html) => vec![Event::Text(html.clone())],
        Event::Start(Tag::Table(_)) => {
            vec![Event::Html(CowStr::Borrowed(BOX)), event.clone()]
        }
        Event::End(TagEnd::Table) => {
            vec![event.clone(), Event::Html(CowStr::Borrowed("</div>\n"))]
        }
        _ => vec![event.clone()],
    }
}

fn folds(html: &str) -> bool {
    let line = html.trim();
    let summary = line
        .strip_prefix("<details><summary>")
        .and_then(|rest| rest.strip_suffix("</summary>"));
    line == "</details>" || summary.is_some_and(|words| !words.contains('<'))
}

/// Text as it may stand between tags and inside quoted attributes.
pub(super) fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn still(markdown: &str, figures: &[Figure]) -> String {
        page("A & B", markdown, figures, Tables::Still)
    }

    #[test]
    fn figures_lie_in_the_page() {
        let figure = Figure {
            name: "scores.svg".to_owned(),
            title: "Scores".to_owned(),
            svg: "<svg>drawn</svg>\n".to_owned(),
        };
        let markdown = "before\n\n![Scores](some/figures/scores.svg)\n\nafter\n";
        let page = still(markdown, &[figure]);
        assert!(page.contains("<title>A &amp; B</title>"), "{page}");
        assert!(
            page.contains("<figure tabindex=\"0\">\n<svg>drawn</svg>\n</figure>"),
            "{page}"
        );
        assert!(!page.contains("<img"), "{page}");
        assert!(page.contains("<p>after</p>"), "{page}");
    }

    #[test]
    fn tables_scroll_in_a_box_of_their_own() {
        let page = still("| a | b |\n| --- | ---: |\n| x | 1 |\n", &[]);
        let start = page.find("<div class=\"wide\"").expect("a box");
        let table = page.find("<table>").expect("a table");
        assert!(start < table && page.contains("</table>\n</div>"), "{page}");
        assert!(!page.contains("<script"), "{page}");
    }

    #[test]
    fn only_folding_is_taken_as_html() {
        let markdown = "<details><summary>More</summary>\n\n*kept*\n\n</details>\n\n\
                        <script>alert(1)</script>\n\n\
                        <details><summary><img src=x onerror=y></summary>\n\n\
                        in a line <b onclick=x>bold</b>\n";
        let page = still(markdown, &[]);
        assert!(page.contains("<details><summary>More</summary>"), "{page}");
        assert!(page.contains("<em>kept</em>"), "{page}");
        for tag in ["<script", "<img", "<b "] {
            assert!(!page.contains(tag), "{tag} in {page}");
        }
        assert!(page.contains("&lt;script&gt;alert(1)"), "{page}");
    }
}
