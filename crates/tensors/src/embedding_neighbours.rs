//! Finds vocabulary words near the words of classes, as proposals for a verbalizer.

use crate::backbone::Backbone;
use promptshift_numbers::inspect::cosine;

/// A word with its similarity.
#[derive(Debug, Clone, PartialEq)]
pub struct Neighbour {
    /// One token of the vocabulary.
    pub word: String,
    /// Cosine of its embedding with the mean of the class's words', in [-1, 1].
    pub cosine: f64,
}

/// For each class, given by its words, the `count` nearest whole words, of letters only, that the tokenizer has as
/// single tokens, nearest first. A word is assigned only to its nearest class, as Schick et al. 2020 (arXiv 2010.13641)
/// do by likelihood; ties go to the first class and the lower id.
pub fn embedding_neighbours(
    backbone: &Backbone,
    classes: &[Vec<&str>],
    count: usize,
) -> Vec<Vec<Neighbour>> {
    let embedding = backbone.model.embedding();
    let [rows, width] = embedding.dims();
    let table: Vec<f32> = (embedding.into_data())
        .try_to_vec()
        .expect("embeddings are f32");
    let row = |id: u32| &table[id as usize * width..(id as usize + 1) * width];
    let tokenizer = &backbone.tokenizer;
    let centres: Vec<Vec<f64>> = classes
        .iter()
        .map(|words| {
            let mut centre = vec![0.0; width];
            for word in words {
                let ids = tokenizer.encode(word);
                for &id in &ids {
                    let of_word = row(id).iter().map(|&v| f64::from(v) / ids.len() as f64);
                    centre
                        .iter_mut()
                        .zip(of_word)
                        .for_each(|(sum, v)| *sum += v);
                }
            }
            centre
        })
        .collect();
    let mut found: Vec<Vec<Neighbour>> = vec![Vec::new(); classes.len()];
    for id in 0..rows.min(tokenizer.size()) as u32 {
        let word = tokenizer.decode(&[id]);
        let whole = !word.is_empty() && word.chars().all(char::is_alphabetic);
        if !whole || tokenizer.encode(&word) != [id] || is_known(&word, classes) {
            continue;
        }
        let cosines = centres.iter().map(|centre| cosine(centre, row(id)));
        let best = cosines
            .enumerate()
            .reduce(|best, other| if other.1 > best.1 { other } else { best });
        if let Some((class, cosine)) = best {
            found[class].push(Neighbour { word, cosine });
        }
    }
    for near in &mut found {
        near.sort_by(|one, other| other.cosine.total_cmp(&one.cosine));
        near.truncate(count);
    }
    found
}

fn is_known(word: &str, classes: &[Vec<&str>]) -> bool {
    classes.iter().flatten().any(|known| *known == word)
}
