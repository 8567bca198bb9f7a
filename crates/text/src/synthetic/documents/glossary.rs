//! Documents that are lists of keys and values without a passage.

use rand::RngExt;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

use super::draft::{CUES, Draft, numbered};
use crate::domain::Split;
use crate::synthetic::names::{NameKind, Namer, Pool, pick};

const VALUES: &[NameKind] = &[
    NameKind::Person,
    NameKind::Town,
    NameKind::Institution,
    NameKind::Gene,
    NameKind::Drug,
    NameKind::Disease,
    NameKind::Mineral,
    NameKind::Creature,
    NameKind::Child,
    NameKind::Teacher,
    NameKind::Character,
    NameKind::River,
    NameKind::Mountain,
    NameKind::Company,
    NameKind::Team,
];

/// A list of keys and values, and the value of one of the keys: lookup without language.
pub fn glossary(rng: &mut ChaCha8Rng) -> Draft {
    let pool = if rng.random_bool(0.5) {
        Pool::Source
    } else {
        Pool::Shifted
    };
    let namer = Namer {
        pool,
        split: Split::Train,
    };
    let count = rng.random_range(2..=7);
    let style = rng.random_range(0..3);
    let owners = [
        namer.draw(NameKind::Person, rng),
        namer.draw(NameKind::Town, rng),
    ];
    let mut keys: Vec<String> = Vec::with_capacity(count);
    while keys.len() < count {
        let word = pick(rng, &CUES.keys);
        let key = match style {
            0 => namer.draw(NameKind::Town, rng),
            1 => word.to_owned(),
            _ => format!("{} {word}", owners[rng.random_range(0..2)]),
        };
        if !keys.contains(&key) {
            keys.push(key);
        }
    }
    let mut values: Vec<String> = Vec::with_capacity(count);
    while values.len() < count {
        let value = if rng.random_bool(0.2) {
            rng.random_range(2..2000).to_string()
        } else {
            namer.draw(VALUES[rng.random_range(0..VALUES.len())], rng)
        };
        if !values.contains(&value) {
            values.push(value);
        }
    }
    let between = pick(rng, &[": ", " means ", " - ", " is "]);
    let after = pick(rng, &["; ", ". ", ", "]);
    let entries: Vec<String> = keys
        .iter()
        .zip(&values)
        .map(|(key, value)| format!("{key}{between}{value}"))
        .collect();
    let list = entries.join(after);
    let mut order: Vec<usize> = (0..count).collect();
    order.shuffle(rng);
    let (key, value) = (&keys[order[0]], &values[order[0]]);
    let (head, tail) = match rng.random_range(0..4) {
        0 => {
            let (ask, read) = (pick(rng, &CUES.asks), pick(rng, &CUES.reads));
            let head = format!("{ask} {key}? {read} {list}. ")
                .trim_start()
                .to_owned();
            (head, format!("{}{value}", pick(rng, &CUES.replies)))
        }
        1 => {
            let head = format!("{key}? {} {list}. ", pick(rng, &CUES.sees));
            (head, format!("{}{value}.", pick(rng, &CUES.concludes)))
        }
        2 => {
            let some = &order[..count.min(3)];
            let asked = numbered(some.iter().map(|&index| format!("{}?", keys[index])));
            let key = numbered(some.iter().map(|&index| values[index].clone()));
            (
                format!("{list}. Questions: {asked} "),
                format!("Key: {key}"),
            )
        }
        _ => {
            let notes: Vec<String> = order
                .iter()
                .take(4)
                .map(|&index| format!("Q: {}? A: {}.", keys[index], values[index]))
                .collect();
            (format!("{list}. "), notes.join(" "))
        }
    };
    Draft {
        head,
        tail,
        salient: values,
    }
}
