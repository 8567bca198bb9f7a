//! Templates proposed by a backbone: the skeleton with a masked span after each of a domain's fields, and the
//! template obtained by filling these spans with words.

use serde::Serialize;

use super::pieces::{escaped, slots};
use super::template::{Template, TemplateError};
use crate::domain::card::Card;
use crate::domain::task::Task;

/// A domain's fields in T5's order with a masked span after each, and the number of spans.
pub fn skeleton(card: &Card) -> (Template, usize) {
    let fields = fields(card);
    let spans: Vec<String> = (0..fields.len())
        .map(|k| format!("<extra_id_{k}>"))
        .collect();
    let template = Template {
        name: "skeleton".to_owned(),
        sha256: String::new(),
        text: joined(&fields, &spans),
        about: "fields and missing spans".to_owned(),
        tasks: vec![card.task],
    };
    (template, spans.len())
}

/// The TOML form of a template's file.
#[derive(Debug, Serialize)]
struct Written<'a> {
    name: &'a str,
    about: &'a str,
    tasks: [Task; 1],
    text: String,
}

/// The template with these words after each of a domain's fields, and its file's text.
///
/// # Errors
/// The result is not a template: the name is empty.
pub fn proposed(
    card: &Card,
    spans: &[String],
    name: &str,
    about: &str,
) -> Result<(Template, String), TemplateError> {
    let words: Vec<String> = spans.iter().map(|words| escaped(words)).collect();
    let written = Written {
        name,
        about,
        tasks: [card.task],
        text: joined(&fields(card), &words),
    };
    let toml = toml::to_string(&written).expect("names and texts are plain data");
    Ok((Template::parse(name, &toml)?, toml))
}

/// The slots of a domain's fields, in T5's order.
fn fields(card: &Card) -> Vec<String> {
    let own = Template::of_t5(card);
    slots(&own.text)
        .iter()
        .map(|slot| format!("{{{slot}}}"))
        .collect()
}

fn joined(fields: &[String], spans: &[String]) -> String {
    let parts = fields
        .iter()
        .zip(spans)
        .flat_map(|(field, span)| [field, span]);
    let parts: Vec<&str> = parts
        .map(String::as_str)
        .filter(|part| !part.is_empty())
        .collect();
    parts.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::card::bundled;

    #[test]
    fn words_go_where_spans_were_missing() {
        let cards = bundled();
        let card = |name: &str| cards.iter().find(|card| card.name == name).expect("a card");
        let (squad, spans) = skeleton(card("squad"));
        assert_eq!(squad.text, "{question} <extra_id_0> {context} <extra_id_1>");
        assert_eq!(spans, 2);
        squad.check(card("squad")).expect("it fits");
        let words = ["is in".to_owned(), "a {brace} \"quoted\"".to_owned()];
        let (found, toml) = proposed(card("mrpc"), &words, "one", "a test").expect("a template");
        assert_eq!(found.text, "{text1} is in {text2} a {{brace}} \"quoted\"");
        assert_eq!(Template::parse("one", &toml), Ok(found.clone()));
        found.check(card("qqp")).expect("both are paraphrases");
        let (empty, _) = proposed(card("squad"), &[String::new(), "so".to_owned()], "two", "")
            .expect("a template");
        assert_eq!(empty.text, "{question} {context} so");
    }
}
