//! Rows, and what is said about them: cards, templates, verbalizers.

use std::path::PathBuf;

use promptshift::domain::card::{Card, Schema};
use promptshift::domain::catalogue::Catalogue;
use promptshift::domain::readers::{DataFile, Reader};
use promptshift::domain::suite::Suite;
use promptshift::domain::verify::verify;
use promptshift::domain::wording::{Template, Verbalizer, Wording};
use promptshift::domain::{AnswerForm, Split, format};

use super::Outcome;
use super::place::Place;

/// Rows that are read at most: a few bytes of parquet may stand for millions of equal rows.
const ROWS: usize = 2_000;

/// Reads a file's rows as those of a domain and puts them into words.
fn rows(file: PathBuf, card: &Card, wording: &Wording) -> Outcome {
    let mut outcome = Outcome::Refused("no rows".to_string());
    let mut left = ROWS;
    for rows in Reader::new(card, vec![DataFile::at(file)], Some(ROWS)) {
        let Ok(rows) = rows else {
            return Outcome::of(rows);
        };
        for row in rows.into_iter().take(left) {
            left -= 1;
            for split in [Split::Train, Split::Test] {
                format::examples(card, row.clone(), split, AnswerForm::Padded, wording);
            }
            outcome = Outcome::Accepted;
        }
        if left == 0 {
            break;
        }
    }
    outcome
}

/// One domain of each schema: columns differ by schema, not by domain.
fn one_of_each() -> Vec<Card> {
    let mut found: Vec<Card> = Vec::new();
    for card in Catalogue::bundled().cards() {
        if found.iter().all(|other| other.schema != card.schema) {
            found.push(card.clone());
        }
    }
    found
}

/// A data set's file, as `predict --data FILE` reads it.
pub fn parquet_rows(bytes: &[u8]) -> Outcome {
    let place = Place::new();
    let file = place.file("rows.parquet", bytes);
    let wording = Wording::default();
    let cards = one_of_each();
    Outcome::any(cards.iter().map(|card| rows(file.clone(), card, &wording)))
}

/// Lines of MRQA, gzipped or not, as `predict --data FILE` and `verify` read them.
pub fn mrqa_lines(bytes: &[u8]) -> Outcome {
    let place = Place::new();
    let card = (one_of_each()
        .into_iter()
        .find(|card| card.schema == Schema::Mrqa))
    .expect("a domain of MRQA");
    let read = ["rows.jsonl", "rows.jsonl.gz"]
        .map(|name| rows(place.file(name, bytes), &card, &Wording::default()));
    let folder = Place::new();
    std::fs::create_dir(folder.path().join(&card.name)).expect("a temporary folder can be made");
    folder.file(&format!("{}/test.jsonl.gz", card.name), bytes);
    let checked = verify(&Suite::Folder(folder.path().to_owned()), &card);
    Outcome::any(read.into_iter().chain([Outcome::of(checked)]))
}

/// A sweep, as `run FILE` and `slurm run FILE` read it.
pub fn sweep(bytes: &[u8]) -> Outcome {
    let place = Place::new();
    Outcome::of(promptshift::cli::check_sweep(
        &place.file("sweep.toml", bytes),
    ))
}

/// A card of one's own, as `--domains FILE` reads it.
pub fn card(bytes: &[u8]) -> Outcome {
    let place = Place::new();
    let file = place.file("own.toml", bytes);
    let catalogue = match Catalogue::with(&[file]) {
        Ok(catalogue) => catalogue,
        refused => return Outcome::of(refused),
    };
    let card = catalogue.cards().last().expect("the card that was read");
    let wording = Wording {
        template: Some(Template::of_t5(card)),
        ..Wording::default()
    };
    format::without_content(card, &wording);
    Outcome::of(wording.check(card))
}

/// A template of one's own, as `--template FILE` reads it.
pub fn template(bytes: &[u8]) -> Outcome {
    let place = Place::new();
    let file = place.file("own.toml", bytes);
    let template = match Template::find(&file.display().to_string()) {
        Ok(template) => template,
        refused => return Outcome::of(refused),
    };
    let catalogue = Catalogue::bundled();
    let wording = Wording {
        template: Some(template),
        ..Wording::default()
    };
    let fits = catalogue.cards().iter().map(|card| {
        let outcome = Outcome::of(wording.check(card));
        if outcome == Outcome::Accepted && !card.labels.is_empty() {
            format::without_content(card, &wording);
        }
        outcome
    });
    Outcome::any(fits)
}

/// Words for classes of one's own, as `--verbalizer FILE` reads them.
pub fn verbalizer(bytes: &[u8]) -> Outcome {
    let place = Place::new();
    let file = place.file("own.toml", bytes).display().to_string();
    let catalogue = Catalogue::bundled();
    let found = catalogue.cards().iter().map(|card| {
        let found = Verbalizer::find(&file, card);
        if let Ok(verbalizer) = &found {
            verbalizer.most_words();
        }
        Outcome::of(found)
    });
    Outcome::any(found)
}
