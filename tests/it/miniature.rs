//! The bundled suite is what its grammars make, and what its cards say.

use std::collections::HashSet;

use promptshift::domain::Split;
use promptshift::domain::catalogue::Catalogue;
use promptshift::domain::row::Row;
use promptshift::domain::sampling::Limit;
use promptshift::domain::suite::Suite;
use promptshift::synthetic::{self, MINI_SEED};

#[test]
fn the_bundled_files_are_made_again_byte_for_byte() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    for domain in synthetic::domains() {
        for split in Split::ALL {
            let rows = synthetic::rows(domain, split, MINI_SEED, synthetic::sizes(domain, split));
            let made = folder.path().join("made.parquet");
            synthetic::write_parquet(&rows, domain, &made).expect("written");
            let name = format!("datasets/mini/{}/{split}.parquet", domain.name);
            let bundled = format!("{}/{name}", env!("CARGO_MANIFEST_DIR"));
            let same =
                std::fs::read(made).expect("made") == std::fs::read(bundled).expect("bundled");
            assert!(
                same,
                "{name} is not what the grammars make: run `cargo run -- datasets`"
            );
        }
    }
}

/// The texts of a bundled split.
fn texts(domain: &str, split: Split) -> Vec<String> {
    let catalogue = Catalogue::bundled();
    let card = &catalogue.get(domain).expect("a card");
    let splits = Suite::Mini.source(card).expect("bundled");
    let portion = match split {
        Split::Train => splits.train,
        Split::Validation => splits.validation,
        Split::Test => splits.test,
    };
    let rows = Suite::Mini
        .read(card, &portion, Limit::All)
        .expect("bundled")
        .examples;
    rows.into_iter()
        .map(|row| match row {
            Row::Question(row) => row.context,
            other => other.texts().join(" | "),
        })
        .collect()
}

#[test]
fn no_passage_is_in_two_splits() {
    for domain in synthetic::domains() {
        let train: HashSet<String> = texts(domain.name, Split::Train).into_iter().collect();
        let validation: HashSet<String> =
            texts(domain.name, Split::Validation).into_iter().collect();
        for test in texts(domain.name, Split::Test) {
            assert!(
                !train.contains(&test) && !validation.contains(&test),
                "{}",
                domain.name
            );
        }
        assert!(train.is_disjoint(&validation), "{}", domain.name);
    }
}
