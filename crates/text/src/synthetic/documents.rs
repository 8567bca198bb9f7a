//! Pre-training documents: passages with notes.
//!
//! The corpus is unlabelled text that contains questions and answers, as text on the web does. It never shows the
//! format of the downstream tasks, a question phrasing of a data set, or a name of the validation or test split.

mod draft;
mod glossary;

use rand::RngExt;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

use self::draft::{CUES, Draft, Verdict, numbered};
use super::domains::{Task, domains};
use super::grammar::{Fact, Passage, Reader, Reading};
use super::names::{pick, strip};
use super::pairs::{Pair, Pairing, Sense};
use crate::domain::Split;

/// One pre-training document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Document {
    pub text: String,
    /// Answers and names, for salient-span masking. Each occurs in the text.
    pub salient: Vec<String>,
    /// Byte offset of the document's second half, if it has a natural division: a passage and what follows
    /// from it.
    pub cut: Option<usize>,
}

/// The shares of the document kinds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct DocumentMix {
    /// The share of passages with questions and answers; of the others, three in five have a retelling.
    pub qa_share: f64,
    /// The share of glossaries: lists of keys and values without a passage.
    pub glossary_share: f64,
    /// The minimum and maximum number of facts of a passage, overriding the domain's own: a curriculum begins
    /// with few.
    pub facts: Option<(usize, usize)>,
    /// The share of documents with sentence pairs, among those that are not glossaries.
    pub pairs_share: f64,
    /// The share of question-first documents with random cue words around question, passage and reply; the others use
    /// `Ask:`, `Read:` and `Reply:`.
    pub varied_cues: f64,
    /// How many phrasings of a statement or question are used.
    pub phrasings: Phrasings,
}

/// See [`DocumentMix::phrasings`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phrasings {
    /// One: the start of a curriculum.
    One,
    /// All that pre-training may use.
    All,
}

impl Default for DocumentMix {
    fn default() -> Self {
        DocumentMix {
            qa_share: 0.85,
            glossary_share: 0.05,
            pairs_share: 0.2,
            facts: None,
            varied_cues: 0.75,
            phrasings: Phrasings::All,
        }
    }
}

/// The weight of the source domain, relative to 1 for each other reading domain.
const SOURCE_WEIGHT: usize = 3;

/// Writes a document of the training split.
pub fn document(rng: &mut ChaCha8Rng, mix: &DocumentMix) -> Document {
    let draft = draft(rng, mix);
    let mut text = strip(&draft.head);
    let cut = (!draft.tail.is_empty()).then_some(text.len());
    text.push_str(&strip(&draft.tail));
    let mut salient: Vec<String> = Vec::with_capacity(draft.salient.len());
    let lower = text.to_ascii_lowercase();
    for string in draft.salient.iter().map(|string| strip(string)) {
        // As spelt in the text: a name may be capitalised only because it starts a sentence.
        let at = text
            .find(&string)
            .or_else(|| lower.find(&string.to_ascii_lowercase()));
        let at = at.expect("a salient string is part of its document");
        let spelled = &text[at..at + string.len()];
        if !salient.iter().any(|other| other == spelled) {
            salient.push(spelled.to_owned());
        }
    }
    Document { text, salient, cut }
}

/// The text of [`document`] with a [`SEPARATOR`](super::SEPARATOR) between the syllables of names, for training a
/// tokenizer.
pub fn tokenizer_document(rng: &mut ChaCha8Rng, mix: &DocumentMix) -> String {
    let draft = draft(rng, mix);
    draft.head + &draft.tail
}

fn draft(rng: &mut ChaCha8Rng, mix: &DocumentMix) -> Draft {
    if rng.random_bool(mix.glossary_share) {
        return glossary::glossary(rng);
    }
    let (mut readings, mut pairings): (Vec<&Reading>, Vec<&Pairing>) = (Vec::new(), Vec::new());
    for domain in domains() {
        match &domain.task {
            Task::Reading(reading) if readings.is_empty() => {
                readings.extend([reading; SOURCE_WEIGHT]);
            }
            Task::Reading(reading) => readings.push(reading),
            Task::Pairs(pairing) => pairings.push(pairing),
            Task::Reviews(_) | Task::Inference(_) => {}
        }
    }
    if rng.random_bool(mix.pairs_share) {
        let pairing = pairings[rng.random_range(0..pairings.len())];
        return match rng.random_range(0..10) {
            0..5 => list_of_pairs(rng, pairing),
            5..7 => reworded(rng, pairing),
            _ => pair(rng, pairing),
        };
    }
    let reading = readings[rng.random_range(0..readings.len())];
    passage(rng, reading, mix)
}

fn passage(rng: &mut ChaCha8Rng, reading: &Reading, mix: &DocumentMix) -> Draft {
    let limits = mix.facts.unwrap_or(reading.facts);
    let reader = match mix.phrasings {
        Phrasings::One => Reader::Beginner,
        Phrasings::All => Reader::PreTraining,
    };
    let passage = reading.passage(rng, Split::Train, reader, limits);
    let Passage { text, mut facts } = passage;
    let mut salient: Vec<String> = facts.iter().map(|fact| fact.answer.clone()).collect();
    salient.extend(facts.iter().map(|fact| fact.subject.clone()));
    facts.shuffle(rng);

    if rng.random_bool(mix.qa_share) {
        let (head, tail) = quiz(rng, &text, &facts, reader, mix.varied_cues);
        return Draft {
            head,
            tail,
            salient,
        };
    }
    if rng.random_bool(0.6) {
        let retold: Vec<String> = facts
            .iter()
            .take(4)
            .map(|fact| fact.retold(rng, Reader::PreTraining))
            .collect();
        let tail = format!("{} {}", pick(rng, &CUES.retells), retold.join(" "));
        return Draft {
            head: text + " ",
            tail,
            salient,
        };
    }
    Draft {
        head: text,
        tail: String::new(),
        salient,
    }
}

/// A passage with questions. 3 of 8 ask first and reply with less than a sentence, 3 of 8 ask first and
/// conclude, the others ask after the passage.
fn quiz(
    rng: &mut ChaCha8Rng,
    text: &str,
    facts: &[Fact],
    reader: Reader,
    varied_cues: f64,
) -> (String, String) {
    let question =
        |rng: &mut ChaCha8Rng, fact: &Fact| fact.relation.question(rng, reader, &fact.subject);
    let first = &facts[0];
    match rng.random_range(0..8) {
        0..3 => {
            let asked = question(rng, first);
            let (ask, read, reply) = if rng.random_bool(varied_cues) {
                (
                    pick(rng, &CUES.asks),
                    pick(rng, &CUES.reads),
                    pick(rng, &CUES.replies),
                )
            } else {
                ("Ask:", "Read:", "Reply: ")
            };
            let head = format!("{ask} {asked} {read} {text} ")
                .trim_start()
                .to_owned();
            (head, format!("{reply}{}", first.answer))
        }
        3..6 => {
            let (see, conclude) = if rng.random_bool(varied_cues) {
                (pick(rng, &CUES.sees), pick(rng, &CUES.concludes))
            } else {
                (CUES.sees[0].as_str(), CUES.concludes[0].as_str())
            };
            let head = format!("{} {see} {text} ", question(rng, first));
            (head, format!("{conclude}{}.", first.answer))
        }
        6 => {
            let some = &facts[..facts.len().min(3)];
            let asked = numbered(some.iter().map(|fact| question(rng, fact)));
            let key = numbered(some.iter().map(|fact| fact.answer.clone()));
            (format!("{text} Questions: {asked} "), format!("Key: {key}"))
        }
        _ => {
            let notes: Vec<String> = facts
                .iter()
                .take(3)
                .map(|fact| format!("Q: {} A: {}.", question(rng, fact), fact.answer))
                .collect();
            (format!("{text} "), notes.join(" "))
        }
    }
}

/// One sentence and its paraphrase.
fn reworded(rng: &mut ChaCha8Rng, pairing: &Pairing) -> Draft {
    let pair = pairing.pair(rng, Split::Train, Reader::PreTraining, Sense::Same);
    let cue = pick(rng, &CUES.rewords);
    Draft {
        head: format!("{} {cue} ", pair.first),
        tail: pair.second,
        salient: pair.salient,
    }
}

/// Two sentences and whether they have the same meaning.
fn pair(rng: &mut ChaCha8Rng, pairing: &Pairing) -> Draft {
    let Verdict {
        cue,
        same,
        different,
    } = &CUES.verdicts[rng.random_range(0..CUES.verdicts.len())];
    let (pair, verdict) = judged(rng, pairing, same, different);
    let (one, two) = &CUES.labels[rng.random_range(0..CUES.labels.len())];
    let body = format!("{one} {} {two} {} ", pair.first, pair.second);
    let (head, tail) = if rng.random_bool(0.5) {
        (format!("{cue} {body}"), verdict.to_owned())
    } else {
        (body, format!("{cue} {verdict}"))
    };
    Draft {
        head,
        tail,
        salient: pair.salient,
    }
}

/// Several pairs with a verdict for each: a verdict is one word, so a single one per document teaches little.
fn list_of_pairs(rng: &mut ChaCha8Rng, pairing: &Pairing) -> Draft {
    let Verdict {
        cue,
        same,
        different,
    } = &CUES.verdicts[rng.random_range(0..CUES.verdicts.len())];
    let (pairs, verdicts): (Vec<_>, Vec<_>) = (0..rng.random_range(2..=4))
        .map(|_| judged(rng, pairing, same, different))
        .unzip();
    let listed = numbered(
        pairs
            .iter()
            .map(|pair| format!("{} - {}", pair.first, pair.second)),
    );
    let key = numbered(verdicts.into_iter().map(str::to_owned));
    Draft {
        head: format!("{cue} {listed} "),
        tail: format!("Key: {key}"),
        salient: pairs.into_iter().flat_map(|pair| pair.salient).collect(),
    }
}

/// A pair that is a paraphrase with probability 1/2, and the word for its verdict.
fn judged<'a>(
    rng: &mut ChaCha8Rng,
    pairing: &Pairing,
    same: &'a str,
    different: &'a str,
) -> (Pair, &'a str) {
    let (sense, verdict) = if rng.random_bool(0.5) {
        (Sense::Same, same)
    } else {
        (Sense::Different, different)
    };
    let pair = pairing.pair(rng, Split::Train, Reader::PreTraining, sense);
    (pair, verdict)
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;

    use super::*;
    use crate::synthetic::names::SEPARATOR;

    const MIX: DocumentMix = DocumentMix {
        qa_share: 0.85,
        glossary_share: 0.1,
        pairs_share: 0.2,
        facts: None,
        varied_cues: 0.75,
        phrasings: Phrasings::All,
    };

    fn documents(seed: u64, count: usize) -> Vec<Document> {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        (0..count).map(|_| document(&mut rng, &MIX)).collect()
    }

    /// Every question of the data sets that has one placeholder, split at it.
    fn held_out() -> Vec<(&'static str, &'static str)> {
        let mut templates: Vec<&'static str> = Vec::new();
        for domain in domains() {
            match &domain.task {
                Task::Reading(reading) => {
                    for relation in reading.relations() {
                        templates.extend(relation.asked.iter().map(String::as_str));
                    }
                }
                Task::Pairs(pairing) => {
                    for intent in pairing.intents() {
                        if intent.asked[0].contains("{S}") && intent.detail.is_none() {
                            templates.extend(intent.asked.iter().map(String::as_str));
                        }
                    }
                }
                Task::Reviews(_) | Task::Inference(_) => {}
            }
        }
        templates
            .into_iter()
            .map(|t| t.split_once("{S}").expect("a subject"))
            .collect()
    }

    #[test]
    fn a_seed_gives_the_same_documents_and_another_seed_gives_others() {
        assert_eq!(documents(1, 200), documents(1, 200));
        assert_ne!(documents(1, 200), documents(2, 200));
    }

    #[test]
    fn the_tokenizer_sees_the_same_text() {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        for document in documents(1, 200) {
            let separated = tokenizer_document(&mut rng, &MIX);
            assert_eq!(strip(&separated), document.text);
            assert!(!document.text.contains(SEPARATOR));
        }
    }

    #[test]
    fn salient_strings_occur_and_the_cut_is_inside() {
        for document in documents(2, 2000) {
            for string in &document.salient {
                assert!(
                    document.text.contains(string),
                    "{string:?} in {:?}",
                    document.text
                );
            }
            if let Some(cut) = document.cut {
                assert!(cut < document.text.len());
                assert_eq!(&document.text[cut - 1..cut], " ");
            }
        }
    }

    #[test]
    fn downstream_formats_never_occur() {
        const CUES: &[&str] = &[
            "question:",
            "context:",
            "question1",
            "question2",
            "sentence1",
            "sentence2",
            "qqp",
            "mrpc",
            "squad",
            "answer:",
        ];
        for document in documents(3, 5000) {
            let text = document.text.to_ascii_lowercase();
            for cue in CUES {
                assert!(!text.contains(cue), "{cue} in {text}");
            }
        }
    }

    #[test]
    fn questions_of_the_data_sets_never_occur() {
        let held_out: Vec<(String, String)> = held_out()
            .into_iter()
            .map(|(before, after)| (before.to_ascii_lowercase(), after.to_ascii_lowercase()))
            .collect();
        for document in documents(4, 3000) {
            let text = document.text.to_ascii_lowercase();
            for question in text.split_inclusive('?').filter(|part| part.ends_with('?')) {
                for (before, after) in held_out
                    .iter()
                    .filter(|(_, after)| question.ends_with(after))
                {
                    let name = &question[..question.len() - after.len()];
                    let name = if before.is_empty() {
                        name.rsplit(". ").next()
                    } else {
                        name.rfind(before.as_str())
                            .map(|at| &name[at + before.len()..])
                    };
                    // A subject has at most three words; more is the end of another question.
                    let found = name.is_some_and(|name| name.split(' ').count() <= 3);
                    assert!(!found, "`{before}..{after}` in {question}");
                }
            }
        }
    }
}
