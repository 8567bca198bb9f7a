//! The report on what prompts learned.

mod transfer;

pub use transfer::Scored;

use crate::chart::matrix;
use crate::document::{Block, Document, Table, UNDEFINED, line, or_dash, quoted};
use crate::number::{count, joined, share};
use promptshift_numbers::inspect::{
    Neighbour, Rows, clusters, cosine, drift, effective_rank, likeness, nearest, similarities,
    tightness,
};
use promptshift_numbers::stats::estimate::mean;

/// One prompt.
#[derive(Debug, Clone, PartialEq)]
pub struct Inspected {
    /// Its name: its file, or the domain and seed that it was tuned with.
    pub name: String,
    pub vectors: Rows,
    /// Its initial vectors, if they can be recomputed.
    pub start: Option<Rows>,
    /// The class labels of the domain that it was tuned on, each with the mean embedding of its tokens.
    pub labels: Vec<(String, Vec<f32>)>,
    /// Its provenance, in one line.
    pub origin: String,
    /// Its scores, if it is from a record.
    pub scored: Option<Scored>,
}

/// The frozen model's vocabulary.
#[derive(Debug, Clone, PartialEq)]
pub struct Vocabulary {
    /// The input embedding `[V, D]`.
    pub table: Rows,
    /// The piece of text for each row.
    pub pieces: Vec<String>,
}

/// Vectors with at least this cosine are in one cluster.
const ALIKE: f64 = 0.5;

/// The report, with `neighbours` entries for each vector.
pub fn document(prompts: &[Inspected], vocabulary: &Vocabulary, neighbours: usize) -> Document {
    let title = match prompts {
        [one] => format!("What the prompt {} learned", one.name),
        many => format!("What {} learned", count(many.len(), "prompt")),
    };
    let mut blocks = vec![
        Block::Title(title.clone()),
        Block::text(
            "**Which words are nearest to a prompt's vectors, how far did the vectors move from their \
             initialisation, and are they redundant?**",
        ),
    ];
    blocks.extend(overview(prompts, vocabulary, neighbours));
    if prompts.len() > 1 {
        let rows: Vec<Vec<f64>> = (prompts.iter())
            .map(|one| {
                let like = |other: &Inspected| likeness(&one.vectors, &other.vectors);
                prompts.iter().map(like).collect()
            })
            .collect();
        let names: Vec<(usize, String)> =
            prompts.iter().map(|p| p.name.clone()).enumerate().collect();
        let title = "Similarity between the prompts";
        blocks.extend(between(prompts, &rows));
        blocks.push(
            matrix(title, &rows, &names)
                .figure("prompts.svg", title)
                .into(),
        );
        blocks.extend(transfer::section(prompts, &rows).into_iter().flatten());
    }
    for (at, prompt) in prompts.iter().enumerate() {
        let like = similarities(&prompt.vectors);
        let names: Vec<(usize, String)> = (0..like.len())
            .step_by(like.len().div_ceil(20))
            .map(|row| (row, row.to_string()))
            .collect();
        let title = format!("Cosines between the vectors of {}", prompt.name);
        let name = format!("positions-{}.svg", at + 1);
        blocks.extend(positions(prompt, vocabulary, neighbours));
        blocks.push(
            matrix(&title, &like, &names)
                .figure(name, title.as_str())
                .into(),
        );
        if !prompt.labels.is_empty() {
            blocks.extend(labels(prompt, vocabulary));
        }
    }
    blocks.extend([
        Block::heading("How to read it"),
        Block::List(READING.map(str::to_owned).to_vec()),
        Block::heading("Provenance"),
        Block::List(prompts.iter().map(|prompt| prompt.origin.clone()).collect()),
    ]);
    Document { title, blocks }
}

const READING: [&str; 5] = [
    "**Nearest entries**: the rows of the frozen input embedding with the highest cosine, as in the paper (§7). The \
     paper reports that the five nearest entries of a vector form clusters of similar words, that class labels used \
     for initialisation stay among the nearest neighbours, and that several vectors of a long prompt share \
     neighbours. The columns show whether this is the case here, without tests.",
    "**Tightness**: the mean cosine between pairs of a vector's nearest entries. Neighbours of any vector are close \
     to each other, so the same mean for entries of the vocabulary and *their* neighbours is given for comparison.",
    "**Effective rank** (Roy & Vetterli 2007): from 1, all vectors in one direction, to P, as many equally strong \
     directions as vectors. **Clusters**: vectors connected by cosines of at least 0.5.",
    "**Drift**: distance from the initial vector divided by its norm. A vector may rotate (the cosine falls) or only \
     grow.",
    "**Similarity** of two prompts: the mean over vectors of the highest cosine with a vector of the other prompt, \
     in both directions. Prompts with the same behaviour may be dissimilar.",
];

fn neighbours_of(vectors: &Rows, vocabulary: &Vocabulary, count: usize) -> Vec<Vec<Neighbour>> {
    (vectors.iter())
        .map(|vector| nearest(vector, &vocabulary.table, count))
        .collect()
}

/// The mean tightness over vectors; `None` with too few neighbours.
fn mean_tightness(all: &[Vec<Neighbour>], vocabulary: &Vocabulary) -> Option<f64> {
    let each: Option<Vec<f64>> = (all.iter())
        .map(|neighbours| tightness(neighbours, &vocabulary.table))
        .collect();
    mean(&each?)
}

fn overview(prompts: &[Inspected], vocabulary: &Vocabulary, count: usize) -> [Block; 3] {
    let header = "prompt | vectors | effective rank | initial rank | clusters | distinct nearest entries | \
        cosine with the nearest | initial cosine | tightness | drift | \
        cosine with the initial vector";
    let rows = prompts.iter().map(|prompt| {
        let vectors = &prompt.vectors;
        let near = neighbours_of(vectors, vocabulary, count);
        let mut first: Vec<usize> = near.iter().filter_map(|n| Some(n.first()?.id)).collect();
        first.sort_unstable();
        first.dedup();
        let closest = |near: &[Vec<Neighbour>]| {
            let all: Vec<f64> = (near.iter())
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
    // Two hundred entries suffice for a mean.
    let step = vocabulary.table.count().div_ceil(200);
    let some: Vec<f32> = (0..vocabulary.table.count())
        .step_by(step)
        .flat_map(|id| vocabulary.table.row(id).to_vec())
        .collect();
    let some = Rows::new(some, vocabulary.table.row(0).len());
    let own = mean_tightness(&neighbours_of(&some, vocabulary, count), vocabulary);
    Block::section(
        "The prompts",
        Table::of(header).rows(rows),
        format!(
            "Means over vectors. Tightness of the vocabulary's entries with their {count} nearest neighbours: {}.",
            hundredth(own)
        ),
    )
}

fn between(prompts: &[Inspected], likenesses: &[Vec<f64>]) -> [Block; 3] {
    let names = prompts.iter().map(|prompt| prompt.name.as_str());
    let header = line("similarity / cosine of mean vectors", names);
    let rows = prompts.iter().zip(likenesses).map(|(one, like)| {
        let cells = prompts.iter().zip(like).map(|(other, like)| {
            let means = cosine(&one.vectors.mean(), &other.vectors.mean());
            format!("{} / {}", hundredth(Some(*like)), hundredth(Some(means)))
        });
        line(&one.name, cells)
    });
    Block::section(
        "Similarity between prompts",
        Table::new(header).rows(rows),
        "Prompts with the same initialisation are similar for that reason.",
    )
}

fn positions(prompt: &Inspected, vocabulary: &Vocabulary, count: usize) -> [Block; 3] {
    let header = "vector | nearest entries (cosine) | initialised as | still a neighbour | \
        cosine with the initial vector | drift | most similar vector";
    let like = similarities(&prompt.vectors);
    let moved = (prompt.start.as_ref()).map(|start| drift(start, &prompt.vectors));
    let piece = |id: usize| quoted(vocabulary.pieces.get(id).map_or("", String::as_str));
    let rows = prompt.vectors.iter().enumerate().map(|(at, vector)| {
        let near = nearest(vector, &vocabulary.table, count);
        let shown =
            (near.iter()).map(|one| format!("{} {}", piece(one.id), hundredth(Some(one.cosine))));
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
            joined(", ", shown),
            words,
            kept.to_owned(),
            hundredth(turned),
            hundredth(moved.as_ref().map(|moved| moved[at])),
            or_dash(twin, |twin| {
                format!("{twin} ({})", hundredth(Some(like[at][twin])))
            }),
        ]
    });
    let groups: Vec<String> = (clusters(&like, ALIKE).into_iter())
        .filter(|group| group.len() > 1)
        .map(|group| {
            let members = group.iter().map(usize::to_string);
            format!("{{{}}}", joined(", ", members))
        })
        .collect();
    Block::section(
        format!("Every vector of {}", prompt.name),
        Table::of(header).words(&[0, 1, 2, 3]).rows(rows),
        match groups.is_empty() {
            true => "No two vectors have a cosine of 0.5 or more.".to_owned(),
            false => format!("Clusters: {}.", groups.join(", ")),
        },
    )
}

fn labels(prompt: &Inspected, vocabulary: &Vocabulary) -> [Block; 3] {
    let header = "label | nearest vector | cosine | entries closer to that vector | initially";
    let rows = prompt.labels.iter().map(|(label, embedding)| {
        let best = |vectors: &Rows| {
            let cosines = vectors.iter().map(|vector| cosine(vector, embedding));
            // The first among equals, unlike with `max_by`.
            (cosines.enumerate()).min_by(|one, other| other.1.total_cmp(&one.1))
        };
        let (at, near) = best(&prompt.vectors).expect("a prompt has vectors");
        let vector = prompt.vectors.row(at);
        let nearer = (vocabulary.table.iter()).filter(|row| cosine(vector, row) > near);
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
            or_dash(start, |(at, near)| {
                format!("{at} ({})", hundredth(Some(near)))
            }),
        ]
    });
    Block::section(
        format!("Class labels in {}", prompt.name),
        Table::of(header).rows(rows),
        "A label is represented by the mean embedding of its tokens, as in the initialisation from class labels; it \
         persists if few entries are closer to the vector than the label.",
    )
}

fn hundredth(value: Option<f64>) -> String {
    // Adding zero turns a negative zero into a positive one.
    or_dash(value, |value| {
        format!("{:.2}", (100.0 * value).round() / 100.0 + 0.0).replace('-', "−")
    })
}

fn tenth(value: Option<f64>) -> String {
    or_dash(value, |value| format!("{value:.1}"))
}

#[cfg(test)]
mod tests;
