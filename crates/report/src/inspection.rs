//! The report on what prompts learnt.

mod transfer;

pub use transfer::Scored;

use super::error::ReportError;
use super::figures::similarities as shades;
use super::markdown::table::{TextTable, UNDEFINED};
use super::markdown::text::quoted;
use super::number::{count, share};
use super::sheet::{Section, Sheet};
use promptshift_numbers::inspect::{
    Neighbour, Rows, clusters, cosine, drift, effective_rank, likeness, nearest, similarities,
    tightness,
};
use promptshift_numbers::stats::estimate::mean;

/// One prompt.
#[derive(Debug, Clone, PartialEq)]
pub struct Inspected {
    /// What it is called: its file, or the domain and seed that it was tuned on.
    pub name: String,
    /// Its vectors.
    pub vectors: Rows,
    /// The vectors that its training started from, where they can be made again.
    pub start: Option<Rows>,
    /// The class labels of the domain that it was tuned on, each with the mean embedding of its tokens.
    pub labels: Vec<(String, Vec<f32>)>,
    /// Where it comes from, in a line.
    pub origin: String,
    /// What it scores, where it lies in a record.
    pub scored: Option<Scored>,
}

/// The frozen model's vocabulary.
#[derive(Debug, Clone, PartialEq)]
pub struct Vocabulary {
    /// The input embedding `[V, D]`.
    pub table: Rows,
    /// What each row stands for.
    pub pieces: Vec<String>,
}

/// Positions whose cosine is at least this count as one cluster.
const ALIKE: f64 = 0.5;

/// The report; `neighbours` entries are shown for each vector.
///
/// # Errors
/// A figure can't be drawn.
pub fn sheet(
    prompts: &[Inspected],
    vocabulary: &Vocabulary,
    neighbours: usize,
) -> Result<Sheet, ReportError> {
    let mut figures = Vec::new();
    let mut sections = vec![overview(prompts, vocabulary, neighbours)];
    if prompts.len() > 1 {
        let rows: Vec<Vec<f64>> = (prompts.iter())
            .map(|one| {
                let like = |other: &Inspected| likeness(&one.vectors, &other.vectors);
                prompts.iter().map(like).collect()
            })
            .collect();
        sections.push(between(prompts, &rows));
        sections.extend(transfer::section(prompts, &rows));
        let names: Vec<(usize, String)> =
            prompts.iter().map(|p| p.name.clone()).enumerate().collect();
        figures.push(shades(
            "prompts.svg",
            "How like each other the prompts are",
            &rows,
            &names,
        )?);
    }
    for (at, prompt) in prompts.iter().enumerate() {
        let like = similarities(&prompt.vectors);
        let names: Vec<(usize, String)> = (0..like.len())
            .step_by(like.len().div_ceil(20))
            .map(|row| (row, row.to_string()))
            .collect();
        let title = format!("Cosines between the vectors of {}", prompt.name);
        let name = format!("positions-{}.svg", at + 1);
        figures.push(shades(&name, &title, &like, &names)?);
        sections.push(positions(prompt, vocabulary, neighbours));
        if !prompt.labels.is_empty() {
            sections.push(labels(prompt, vocabulary));
        }
    }
    Ok(Sheet {
        title: match prompts {
            [one] => format!("What the prompt {} learnt", one.name),
            many => format!("What {} learnt", count(many.len(), "prompt")),
        },
        question:
            "Which words are a prompt's vectors near to, how far did they go from their start, and \
                   do they repeat each other?"
                .to_owned(),
        note: None,
        findings: Vec::new(),
        figures,
        sections,
        reading: reading(),
        origin: prompts.iter().map(|prompt| prompt.origin.clone()).collect(),
    })
}

fn reading() -> Vec<String> {
    vec![
        "**Nearest entries** are those of the frozen input embedding with the highest cosine, as in the \
         paper (§7), which saw that the five nearest of a vector mean or spell nearly the same, that \
         class labels which a prompt starts from stay among its neighbours, and that several vectors of \
         a long prompt have the same neighbours. Nothing here is a test: the columns are there to see \
         whether it is so of these prompts."
            .to_owned(),
        "**Tightness** is the mean cosine between pairs of a vector's nearest entries. Entries near to \
         one vector are near to each other whatever the vector, so that the mean of the vocabulary's own \
         entries with *their* neighbours stands beside it."
            .to_owned(),
        "**Effective rank** (Roy & Vetterli 2007): between 1, all vectors in one direction, and P, as many \
         directions of equal strength. **Clusters**: vectors whose cosine is at least 0.5, directly or \
         through others."
            .to_owned(),
        "**Drift**: distance from the start over the start's length; a vector may turn (the cosine falls) \
         or only grow."
            .to_owned(),
        "**Likeness** of two prompts: the mean of each vector's highest cosine with a vector of the other, \
         both ways. Two prompts that do the same may have nothing in common."
            .to_owned(),
    ]
}

fn neighbours_of(vectors: &Rows, vocabulary: &Vocabulary, count: usize) -> Vec<Vec<Neighbour>> {
    vectors
        .iter()
        .map(|vector| nearest(vector, &vocabulary.table, count))
        .collect()
}

/// The mean over vectors; `None` where there are too few neighbours.
fn mean_tightness(all: &[Vec<Neighbour>], vocabulary: &Vocabulary) -> Option<f64> {
    let each: Option<Vec<f64>> = (all.iter())
        .map(|neighbours| tightness(neighbours, &vocabulary.table))
        .collect();
    mean(&each?)
}

fn overview(prompts: &[Inspected], vocabulary: &Vocabulary, count: usize) -> Section {
    let header = [
        "prompt",
        "vectors",
        "effective rank",
        "of the start",
        "clusters",
        "different nearest entries",
        "cosine with the nearest",
        "of the start",
        "tightness",
        "drift",
        "cosine with the start",
    ];
    let rows = prompts.iter().map(|prompt| {
        let vectors = &prompt.vectors;
        let near = neighbours_of(vectors, vocabulary, count);
        let mut first: Vec<usize> = near.iter().filter_map(|n| Some(n.first()?.id)).collect();
        first.sort_unstable();
        first.dedup();
        let closest = |near: &[Vec<Neighbour>]| {
            let all: Vec<f64> = near
                .iter()
                .filter_map(|n| Some(n.first()?.cosine))
                .collect();
            mean(&all)
        };
        let start = prompt.start.as_ref();
        let turned = start.and_then(|start| {
            let pairs = start.iter().zip(vectors.iter());
            mean(&pairs.map(|(a, b)| cosine(a, b)).collect::<Vec<_>>())
        });
        vec![
            prompt.name.clone(),
            vectors.count().to_string(),
            format!("{:.1}", effective_rank(vectors)),
            tenth(start.map(effective_rank)),
            clusters(&similarities(vectors), ALIKE).len().to_string(),
            first.len().to_string(),
            hundredth(closest(&near)),
            hundredth(start.and_then(|s| closest(&neighbours_of(s, vocabulary, 1)))),
            hundredth(mean_tightness(&near, vocabulary)),
            hundredth(start.and_then(|start| mean(&drift(start, vectors)))),
            hundredth(turned),
        ]
    });
    // Every so manieth entry is enough for a mean.
    let step = vocabulary.table.count().div_ceil(200);
    let some: Vec<f32> = (0..vocabulary.table.count())
        .step_by(step)
        .flat_map(|id| vocabulary.table.row(id).to_vec())
        .collect();
    let some = Rows::new(some, vocabulary.table.row(0).len());
    let own = mean_tightness(&neighbours_of(&some, vocabulary, count), vocabulary);
    Section {
        heading: "The prompts".to_owned(),
        table: TextTable {
            words: &[0],
            rows: rows.collect(),
            header: header.map(str::to_owned).to_vec(),
        },
        words: format!(
            "Means over vectors. Tightness of the vocabulary's own entries with their {count} nearest: {}.",
            hundredth(own)
        ),
    }
}

fn between(prompts: &[Inspected], likenesses: &[Vec<f64>]) -> Section {
    let mut header = vec!["likeness / cosine of mean vectors".to_owned()];
    header.extend(prompts.iter().map(|prompt| prompt.name.clone()));
    let rows = prompts.iter().zip(likenesses).map(|(one, like)| {
        let mut cells = vec![one.name.clone()];
        cells.extend(prompts.iter().zip(like).map(|(other, like)| {
            let means = cosine(&one.vectors.mean(), &other.vectors.mean());
            format!("{} / {}", hundredth(Some(*like)), hundredth(Some(means)))
        }));
        cells
    });
    Section {
        heading: "Prompts beside each other".to_owned(),
        table: TextTable {
            words: &[0],
            rows: rows.collect(),
            header,
        },
        words: "Prompts that started from the same entries are alike for that reason alone."
            .to_owned(),
    }
}

fn positions(prompt: &Inspected, vocabulary: &Vocabulary, count: usize) -> Section {
    let header = [
        "vector",
        "nearest entries (cosine)",
        "started as",
        "still among them",
        "cosine with the start",
        "drift",
        "most like vector",
    ];
    let like = similarities(&prompt.vectors);
    let moved = (prompt.start.as_ref()).map(|start| drift(start, &prompt.vectors));
    let piece = |id: usize| quoted(vocabulary.pieces.get(id).map_or("", String::as_str));
    let rows = prompt.vectors.iter().enumerate().map(|(at, vector)| {
        let near = nearest(vector, &vocabulary.table, count);
        let shown: Vec<String> = near
            .iter()
            .map(|one| format!("{} {}", piece(one.id), hundredth(Some(one.cosine))))
            .collect();
        let started = prompt.start.as_ref().map(|start| {
            let entry = nearest(start.row(at), &vocabulary.table, 1)[0];
            let kept = near.iter().any(|one| one.id == entry.id);
            let words = match entry.cosine > 0.999 {
                true => piece(entry.id),
                false => UNDEFINED.to_owned(),
            };
            (words, kept, cosine(start.row(at), vector))
        });
        let twin = (0..like.len())
            .filter(|other| *other != at)
            .max_by(|one, other| like[at][*one].total_cmp(&like[at][*other]));
        let (words, kept, turned) = match started {
            Some((words, kept, turned)) => (words, if kept { "yes" } else { "no" }, Some(turned)),
            None => (UNDEFINED.to_owned(), UNDEFINED, None),
        };
        vec![
            at.to_string(),
            shown.join(", "),
            words,
            kept.to_owned(),
            hundredth(turned),
            hundredth(moved.as_ref().map(|moved| moved[at])),
            twin.map_or(UNDEFINED.to_owned(), |twin| {
                format!("{twin} ({})", hundredth(Some(like[at][twin])))
            }),
        ]
    });
    let groups: Vec<String> = clusters(&like, ALIKE)
        .into_iter()
        .filter(|group| group.len() > 1)
        .map(|group| {
            let members: Vec<String> = group.iter().map(usize::to_string).collect();
            format!("{{{}}}", members.join(", "))
        })
        .collect();
    Section {
        heading: format!("Every vector of {}", prompt.name),
        table: TextTable {
            words: &[0, 1, 2, 3],
            rows: rows.collect(),
            header: header.map(str::to_owned).to_vec(),
        },
        words: match groups.is_empty() {
            true => "No two vectors have a cosine of 0.5 or more.".to_owned(),
            false => format!("Vectors that are alike: {}.", groups.join(", ")),
        },
    }
}

fn labels(prompt: &Inspected, vocabulary: &Vocabulary) -> Section {
    let header = [
        "label",
        "nearest vector",
        "cosine",
        "entries nearer to that vector",
        "at the start",
    ];
    let rows = prompt.labels.iter().map(|(label, embedding)| {
        let best = |vectors: &Rows| {
            let cosines = vectors.iter().map(|vector| cosine(vector, embedding));
            // The first of equals, which `max_by` would not give.
            (cosines.enumerate()).min_by(|one, other| other.1.total_cmp(&one.1))
        };
        let (at, near) = best(&prompt.vectors).expect("a prompt has vectors");
        let vector = prompt.vectors.row(at);
        let nearer = vocabulary
            .table
            .iter()
            .filter(|row| cosine(vector, row) > near);
        let nearer = nearer.count();
        let start = prompt.start.as_ref().and_then(best);
        vec![
            quoted(label),
            at.to_string(),
            hundredth(Some(near)),
            format!(
                "{} ({})",
                nearer,
                share(nearer as f64 / vocabulary.table.count() as f64)
            ),
            start.map_or(UNDEFINED.to_owned(), |(at, near)| {
                format!("{at} ({})", hundredth(Some(near)))
            }),
        ]
    });
    Section {
        heading: format!("Class labels in {}", prompt.name),
        table: TextTable {
            words: &[0],
            rows: rows.collect(),
            header: header.map(str::to_owned).to_vec(),
        },
        words: "A label is the mean embedding of its tokens, as it is where a prompt starts from labels; \
                it persists where few entries are nearer to the vector than it."
            .to_owned(),
    }
}

fn hundredth(value: Option<f64>) -> String {
    // Adding zero makes a negative zero positive.
    value.map_or(UNDEFINED.to_owned(), |value| {
        format!("{:.2}", (100.0 * value).round() / 100.0 + 0.0).replace('-', "−")
    })
}

fn tenth(value: Option<f64>) -> String {
    value.map_or(UNDEFINED.to_owned(), |value| format!("{value:.1}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Four entries along the axes; the prompt started at the first two and its second vector went
    /// over to the third.
    fn example() -> (Inspected, Vocabulary) {
        let axes = |which: &[usize], size: f32| {
            let mut values = vec![0.0; 4 * which.len()];
            for (row, axis) in which.iter().enumerate() {
                values[4 * row + axis] = size;
            }
            Rows::new(values, 4)
        };
        let vocabulary = Vocabulary {
            table: axes(&[0, 1, 2, 3], 1.0),
            pieces: ["mill", "barn", "yes", "no"].map(str::to_owned).to_vec(),
        };
        let prompt = Inspected {
            name: "squad, seed 0".to_owned(),
            vectors: axes(&[0, 2], 2.0),
            start: Some(axes(&[0, 1], 1.0)),
            labels: vec![("yes".to_owned(), vec![0.0, 0.0, 1.0, 0.0])],
            origin: "made by hand".to_owned(),
            scored: None,
        };
        (prompt, vocabulary)
    }

    #[test]
    fn vectors_are_named_by_their_nearest_entries() {
        let (prompt, vocabulary) = example();
        let sheet = sheet(&[prompt], &vocabulary, 1).expect("a report");
        let text = sheet.markdown("figures");
        // The first only grew, the second turned: |2 e₂ − e₁| / 1 = √5.
        assert!(
            text.contains("| 0 | “mill” 1.00 | “mill” | yes | 1.00 | 1.00 |"),
            "{text}"
        );
        assert!(
            text.contains("| 1 | “yes” 1.00 | “barn” | no | 0.00 | 2.24 |"),
            "{text}"
        );
        assert!(
            text.contains("| “yes” | 1 | 1.00 | 0 (0 %) | 0 (0.00) |"),
            "{text}"
        );
        assert!(
            text.contains("| squad, seed 0 | 2 | 2.0 | 2.0 | 2 | 2 |"),
            "{text}"
        );
        assert_eq!(sheet.figures.len(), 1);
    }

    #[test]
    fn several_prompts_stand_beside_each_other() {
        let (prompt, vocabulary) = example();
        let mut other = prompt.clone();
        other.name = "race, seed 0".to_owned();
        other.vectors = prompt.start.clone().expect("given");
        let sheet = sheet(&[prompt, other], &vocabulary, 2).expect("a report");
        let text = sheet.markdown("figures");
        // They share one of two directions.
        assert!(
            text.contains("| squad, seed 0 | 1.00 / 1.00 | 0.50 / 0.50 |"),
            "{text}"
        );
        assert_eq!(sheet.figures.len(), 3);
    }

    #[test]
    fn likeness_is_held_against_what_prompts_keep_on_each_others_domains() {
        let (prompt, vocabulary) = example();
        // Prompts between two directions, at 0, 30 and 90 degrees: what a prompt keeps falls with the angle.
        let turned = |source: &str, degrees: f32, scores: [f64; 3]| {
            let (sine, cosine) = degrees.to_radians().sin_cos();
            Inspected {
                name: source.to_owned(),
                vectors: Rows::new(vec![cosine, sine, 0.0, 0.0], 4),
                scored: Some(Scored {
                    source: source.to_owned(),
                    scores: (["a", "b", "c"].map(str::to_owned).into_iter())
                        .zip(scores)
                        .collect(),
                }),
                ..prompt.clone()
            }
        };
        let prompts = [
            turned("a", 0.0, [0.8, 0.4, 0.1]),
            turned("b", 30.0, [0.8, 0.4, 0.2]),
            turned("c", 90.0, [0.4, 0.3, 0.4]),
        ];
        let text = sheet(&prompts, &vocabulary, 1)
            .expect("a report")
            .markdown("figures");
        assert!(text.contains("| a | b | 0.87 | 0.87 | 100.0 |"), "{text}");
        assert!(text.contains("| c | b | 0.50 | 0.50 | 75.0 |"), "{text}");
        // Likeness .87 .87 .5 .5 0 0 against 100, 100, 50, 75, 25, 50.
        assert!(
            text.contains("likeness: 0.92 over 6 pairs, p 0.33"),
            "{text}"
        );
        let two = sheet(&prompts[..2], &vocabulary, 1).expect("a report");
        assert!(!two.markdown("figures").contains("alike do alike"));
    }
}
