//! Texts of a handful of examples, kept in the record: a report shows some of them, and has no data
//! to read them from.

use crate::record::Excerpt;
use promptshift_text::domain::{AnswerLocation, Example};
use promptshift_text::hash::sha256;

/// Examples of a split that a record keeps the text of.
const EXAMPLES: usize = 24;

/// Bytes of an input that are kept from its start: the question stands there.
const START: usize = 240;

/// Bytes that are kept on each side of the right answer.
const AROUND: usize = 220;

/// Excerpts of the examples whose ids have the smallest hashes: a sample that no answer has a part
/// in, the same for every method, seed and machine.
pub fn of(examples: &[Example]) -> Vec<Excerpt> {
    let mut drawn: Vec<(String, &Example)> = examples
        .iter()
        .map(|example| (sha256(example.id.as_bytes()), example))
        .collect();
    drawn.sort_by(|one, other| one.0.cmp(&other.0));
    drawn.truncate(EXAMPLES);
    drawn
        .into_iter()
        .map(|(_, example)| Excerpt {
            id: example.id.clone(),
            input: shortened(&example.input, example.answer_location),
        })
        .collect()
}

/// The start of an input and what stands around the right answer, or the whole where that is not
/// much more.
fn shortened(input: &str, answer_location: AnswerLocation) -> String {
    if input.len() <= START + 2 * AROUND {
        return input.to_owned();
    }
    let end = match answer_location {
        AnswerLocation::EndsAt(end) => end,
        AnswerLocation::Absent | AnswerLocation::NotExpected => 0,
    };
    let from = input.floor_char_boundary(end.saturating_sub(AROUND));
    let to = input.floor_char_boundary((end + AROUND).min(input.len()));
    let start = input.floor_char_boundary(START);
    let rest = if to < input.len() { " …" } else { "" };
    if from <= start {
        return format!("{}{rest}", &input[..to.max(start)]);
    }
    format!("{} … {}{rest}", &input[..start], &input[from..to])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_inputs_keep_their_start_and_their_answer() {
        let input = format!(
            "question: who? context: {}ANSWER{}",
            "ä ".repeat(900),
            "z ".repeat(900)
        );
        let end = input.find("ANSWER").expect("there") + 6;
        let short = shortened(&input, AnswerLocation::EndsAt(end));
        assert!(short.starts_with("question: who?"), "{short}");
        assert!(
            short.contains(" … ") && short.contains("ANSWERz z"),
            "{short}"
        );
        assert!(short.ends_with(" …") && short.len() < 720, "{short}");
        let start = shortened(&input, AnswerLocation::Absent);
        assert!(start.ends_with(" …") && start.len() <= START + 4, "{start}");
        assert_eq!(shortened("short", AnswerLocation::NotExpected), "short");
        let last = shortened(&input, AnswerLocation::EndsAt(input.len()));
        assert!(last.ends_with("z "), "{last}");
    }
}
