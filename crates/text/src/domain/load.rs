//! A split's rows and examples, read from the files of a suite.

use super::card::Card;
use super::example::Example;
use super::format::{self, AnswerForm};
use super::readers::{self, DataFile, Reader};
use super::row::Row;
use super::sampling::{Limit, Sampler};
use super::splits::SplitSource;
use super::suite::{DomainError, Suite};
use super::wording::Wording;

/// Rows as `T` with their provenance.
#[derive(Debug, Clone, PartialEq)]
pub struct Loaded<T> {
    /// In file order.
    pub examples: Vec<T>,
    /// The file read.
    pub file: String,
    /// Its SHA-256.
    pub sha256: String,
    /// Rows read from it, including those of other splits.
    pub rows_read: usize,
    /// The report's note on how rows were chosen.
    pub note: Option<String>,
}

/// Examples with their provenance.
pub type Rows = Loaded<Example>;

impl Suite {
    /// The examples made from a split's rows.
    pub fn load(
        &self,
        card: &Card,
        from: &SplitSource,
        limit: Limit,
        answers: AnswerForm,
        wording: &Wording,
    ) -> Result<Rows, DomainError> {
        let rows = self.read(card, from, limit)?;
        let examples: Vec<Example> = (rows.examples.into_iter())
            .flat_map(|row| format::examples(card, row, from.split, answers, wording))
            .collect();
        if examples.is_empty() {
            return Err(DomainError::NoRows {
                file: rows.file,
                split: from.split,
                rows_read: rows.rows_read,
            });
        }
        Ok(Loaded {
            examples,
            file: rows.file,
            sha256: rows.sha256,
            rows_read: rows.rows_read,
            note: rows.note,
        })
    }

    /// The rows of a split. Stops reading once it has enough.
    pub fn read(
        &self,
        card: &Card,
        from: &SplitSource,
        limit: Limit,
    ) -> Result<Loaded<Row>, DomainError> {
        let files = self.files(card, from.file)?;
        if files.is_empty() {
            let found = self.splits(card);
            return Err(DomainError::NoFile {
                domain: card.name.clone(),
                role: "source or target",
                suite: self.place().into(),
                wanted: "a file for each split that is read",
                hint: self.hint_of(card, &found).into(),
                found,
            });
        }
        let names: Vec<String> = files.iter().map(DataFile::name).collect();
        let file = names.join(", ");
        let first = match limit {
            Limit::First(limit) => Some(limit),
            Limit::All | Limit::Drawn(_) => None,
        };
        let mut reader = Reader::new(card, files.clone(), first);
        let mut sampler = Sampler::new(limit);
        while !sampler.is_full() {
            let Some(read) = reader.next().transpose()? else {
                break;
            };
            let read = read.into_iter();
            read.filter(|row| from.filter.keeps(&row.passage()))
                .for_each(|row| sampler.add(row));
        }
        let seen = sampler.seen;
        let rows = sampler.rows();
        if rows.is_empty() {
            return Err(match card.subset() {
                Some(subset) if !reader.left_out.is_empty() => DomainError::NoSubset {
                    file,
                    wanted: subset.to_string(),
                    found: reader.left_out.into_iter().collect(),
                },
                _ => DomainError::NoRows {
                    file,
                    split: from.split,
                    rows_read: reader.rows_read,
                },
            });
        }
        let drawn = (matches!(limit, Limit::Drawn(_)) && rows.len() < seen).then(|| {
            format!(
                "{}: {} of {seen} rows, drawn by their names, the same in every run",
                from.split,
                rows.len()
            )
        });
        let repeats = (reader.repeats_note()).map(|note| format!("{}: {note}", from.file));
        let misplaced = (reader.misplaced_note()).map(|note| format!("{}: {note}", from.file));
        let unlabelled = (reader.unlabelled_note()).map(|note| format!("{}: {note}", from.file));
        let notes: Vec<String> = (from.note().into_iter())
            .chain(repeats)
            .chain(misplaced)
            .chain(unlabelled)
            .chain(drawn)
            .collect();
        Ok(Loaded {
            examples: rows,
            sha256: readers::sha256(&files)?,
            file,
            rows_read: reader.rows_read,
            note: (!notes.is_empty()).then(|| notes.join("; ")),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::layout::LayoutError;
    use crate::domain::sample::{card, gzip, lists, texts, write, write_squad};
    use crate::domain::splits::Split;
    use crate::domain::{Task, card};
    use std::collections::HashSet;
    use std::path::Path;

    /// A folder with these splits of squad, each with this many rows.
    fn squad_with(splits: &[Split], rows: usize) -> (tempfile::TempDir, Suite) {
        let folder = tempfile::tempdir().expect("a temporary folder");
        for split in splits {
            let path = folder.path().join(format!("squad/{split}.parquet"));
            write_squad(&path, rows);
        }
        let suite = Suite::Folder(folder.path().to_path_buf());
        (folder, suite)
    }

    fn load(
        suite: &Suite,
        name: &str,
        from: &SplitSource,
        limit: Limit,
    ) -> Result<Rows, DomainError> {
        let wording = Wording::default();
        suite.load(&card(name), from, limit, AnswerForm::Padded, &wording)
    }

    fn passages(suite: &Suite, from: &SplitSource) -> HashSet<String> {
        let rows = load(suite, "squad", from, Limit::All).expect("rows");
        rows.examples.into_iter().map(|row| row.passage).collect()
    }

    #[test]
    fn splits_of_a_source_share_no_passage() {
        for splits in [
            &[Split::Train, Split::Validation][..],
            &[Split::Train, Split::Test],
            &[Split::Train],
        ] {
            let (_folder, suite) = squad_with(splits, 400);
            let source = suite.source(&card("squad")).expect("has train");
            let train = passages(&suite, &source.train);
            let validation = passages(&suite, &source.validation);
            let test = passages(&suite, &source.test);
            assert!(validation.is_disjoint(&test) || source.validation.file != source.test.file);
            assert!(train.is_disjoint(&validation) || source.train.file != source.validation.file);
            let same_file = [&source.train, &source.validation, &source.test]
                .iter()
                .filter(|from| from.file == source.validation.file)
                .count();
            let all: HashSet<String> = [
                (&source.train, &train),
                (&source.validation, &validation),
                (&source.test, &test),
            ]
            .into_iter()
            .filter(|(from, _)| from.file == source.validation.file)
            .flat_map(|(_, passages)| passages.iter().cloned())
            .collect();
            assert_eq!(
                all.len(),
                200,
                "{splits:?} shares one file between {same_file}"
            );
            assert_eq!(passages(&suite, &source.validation), validation);
        }
    }

    #[test]
    fn loaded_rows_state_their_provenance() {
        let (folder, suite) = squad_with(&[Split::Train, Split::Validation], 40);
        let squad = card("squad");
        let source = suite.source(&squad).expect("has train");
        let rows = load(&suite, "squad", &source.train, Limit::First(5)).expect("rows");
        assert_eq!((rows.examples.len(), rows.rows_read), (5, 5));
        assert_eq!(
            rows.examples[0].input,
            "question: question 0 context: passage 0"
        );
        assert_eq!(rows.examples[0].target, "passage 0");
        assert_eq!(rows.sha256.len(), 64);
        assert!(Path::new(&rows.file).ends_with("squad/train.parquet"));
        assert_eq!(rows.note, None);
        let half = load(&suite, "squad", &source.test, Limit::First(5)).expect("rows");
        assert_eq!(half.examples.len(), 5);
        assert!((5..40).contains(&half.rows_read));
        assert!(
            half.note
                .is_some_and(|note| note.starts_with("test is about 50 %"))
        );
        let drawn = load(&suite, "squad", &source.test, Limit::Drawn(5)).expect("rows");
        assert_eq!((drawn.examples.len(), drawn.rows_read), (5, 40));
        let note = drawn.note.expect("a share, and a draw of it");
        assert!(
            note.starts_with("test is about 50 %") && note.contains("; test: 5 of "),
            "{note}"
        );
        let all = load(&suite, "squad", &source.train, Limit::Drawn(40)).expect("rows");
        assert_eq!((all.examples.len(), all.note), (40, None));
        assert_eq!(suite.count(&squad, Split::Train).ok(), Some(Some(40)));
        assert_eq!(suite.count(&squad, Split::Test).ok(), Some(None));
        assert_eq!(
            suite.name(),
            folder.path().file_name().expect("a name").to_string_lossy()
        );
    }

    #[test]
    fn a_target_without_a_test_file_is_scored_on_validation() {
        let (_folder, suite) = squad_with(&[Split::Validation], 6);
        let target = suite.target(&card("squad")).expect("has validation");
        let rows = load(&suite, "squad", &target, Limit::All).expect("rows");
        assert_eq!(rows.examples.len(), 6);
        assert!(
            rows.note
                .is_some_and(|note| note.contains("there is no test.parquet"))
        );
    }

    #[test]
    fn files_that_do_not_serve_are_named() {
        let (_folder, suite) = squad_with(&[Split::Test], 6);
        let message = suite
            .source(&card("squad"))
            .expect_err("no train")
            .to_string();
        assert!(
            message.contains("'squad' cannot be a source in "),
            "{message}"
        );
        assert!(
            message.ends_with("wanted train.parquet, found test.parquet"),
            "{message}"
        );
        let message = suite
            .target(&card("race"))
            .expect_err("nothing")
            .to_string();
        assert!(
            message.ends_with("wanted test.parquet or validation.parquet, found no parquet file"),
            "{message}"
        );
        let target = suite.target(&card("squad")).expect("has test");
        let none = load(&suite, "squad", &target, Limit::First(0));
        let message = none.expect_err("no rows").to_string();
        assert!(
            message.contains("wanted rows for test, found none of 0"),
            "{message}"
        );
    }

    #[test]
    fn questions_are_read_in_either_layout() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        write(
            &folder.path().join("squad/test.parquet"),
            vec![
                ("qid", texts(&["a"])),
                ("context", texts(&["C."])),
                ("question", texts(&["Q?"])),
                ("answers", lists(&[&["x", "y"]])),
            ],
        );
        let suite = Suite::Folder(folder.path().to_path_buf());
        let target = suite.target(&card("squad")).expect("has test");
        let rows = load(&suite, "squad", &target, Limit::All).expect("rows");
        assert_eq!(rows.examples[0].input, "question: Q ? context: C .");
    }

    #[test]
    fn repeats_are_noted_and_near_misses_are_errors() {
        let (folder, suite) = squad_with(&[Split::Train], 6);
        let at = |file: &str| folder.path().join("squad").join(file);
        write_squad(&at("test-00000-of-00002.parquet"), 6);
        write_squad(&at("test-00001-of-00002.parquet"), 2);
        let target = suite.target(&card("squad")).expect("has test");
        let rows = load(&suite, "squad", &target, Limit::All).expect("rows");
        assert_eq!((rows.examples.len(), rows.rows_read), (6, 8));
        assert!(
            rows.note
                .is_some_and(|note| note.starts_with("test: 2 rows left out")),
        );
        std::fs::remove_file(at("test-00000-of-00002.parquet")).expect("removed");
        let error = load(&suite, "squad", &target, Limit::All).expect_err("a part is missing");
        assert!(matches!(
            error,
            DomainError::Layout(LayoutError::MissingParts { found: 1, .. })
        ));
        write_squad(&at("dev.parquet"), 6);
        let splits = suite.source(&card("squad")).expect("has train");
        let error = load(&suite, "squad", &splits.validation, Limit::All).expect_err("dev");
        assert!(matches!(
            error,
            DomainError::Layout(LayoutError::NearMiss { .. })
        ));
    }

    /// A file of two questions from two data sets.
    fn write_mrqa(path: &Path, subsets: [&str; 2]) {
        write(
            path,
            vec![
                ("subset", texts(&subsets)),
                ("qid", texts(&["a", "b"])),
                ("context", texts(&["C", "D"])),
                ("question", texts(&["Q", "R"])),
                ("answers", lists(&[&["C"], &["D"]])),
            ],
        );
    }

    #[test]
    fn an_unchanged_hub_download_is_read() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let suite = Suite::Folder(folder.path().to_path_buf());
        let files = folder.path().join("mrqa-workshop/mrqa/plain_text");
        write_mrqa(&files.join("test-00000-of-00001.parquet"), ["RACE", "DROP"]);
        for (name, question) in [("race", "Q"), ("drop", "R")] {
            assert_eq!(suite.splits(&card(name)), [Split::Test]);
            let target = suite.target(&card(name)).expect("has test");
            let rows = load(&suite, name, &target, Limit::All).expect("rows");
            assert_eq!(rows.examples.len(), 1);
            let wanted = format!("question: {question} context: ");
            assert!(rows.examples[0].input.starts_with(&wanted), "{name}");
            assert_eq!(suite.count(&card(name), Split::Test).ok(), Some(None));
        }
        let target = suite.target(&card("bioasq")).expect("has test");
        let message = load(&suite, "bioasq", &target, Limit::All)
            .expect_err("none")
            .to_string();
        assert!(
            message.ends_with("wanted rows whose 'subset' is 'BioASQ', found only: DROP, RACE"),
            "{message}"
        );
        write_mrqa(
            &files.join("train-00003-of-00009.parquet"),
            ["NewsQA", "SearchQA"],
        );
        let train = suite.source(&card("newsqa")).expect("has train").train;
        let message = load(&suite, "newsqa", &train, Limit::All)
            .expect_err("a part")
            .to_string();
        assert!(
            message.contains("wanted 9 parts of train") && message.contains("train-00000-of-00009"),
            "{message}"
        );
    }

    #[test]
    fn a_domain_s_own_folder_comes_first_whole_or_in_parts() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let suite = Suite::Folder(folder.path().to_path_buf());
        let at = |file: &str| folder.path().join("race").join(file);
        std::fs::create_dir_all(at("")).expect("a folder");
        let line = |id: &str| {
            format!(
                "{{\"header\": {{}}}}\n{{\"context\": \"C\", \"qas\": [{{\"qid\": \"{id}\", \
                 \"question\": \"Q\", \"answers\": [\"C\"]}}]}}\n"
            )
        };
        let ids = || -> Vec<String> {
            let target = suite.target(&card("race")).expect("has test");
            let rows = load(&suite, "race", &target, Limit::All)
                .expect("rows")
                .examples;
            rows.into_iter().map(|row| row.id).collect()
        };
        gzip(&at("test.jsonl.gz"), &line("line"));
        assert_eq!(ids(), ["line"]);
        write_squad(&at("test-00001-of-00002.parquet"), 2);
        write_squad(&at("test-00000-of-00002.parquet"), 1);
        // Both files begin with the same row.
        assert_eq!(ids(), ["id 0", "id 1"]);
        assert_eq!(suite.count(&card("race"), Split::Test).ok(), Some(Some(3)));
        write_squad(&at("test.parquet"), 1);
        assert_eq!(ids(), ["id 0"]);
    }

    #[test]
    fn the_miniatures_are_compiled_in_and_whole() {
        for card in card::bundled() {
            let files = Suite::Mini.splits(&card);
            let wanted: &[Split] = match card.miniature {
                Some(_) => &Split::ALL,
                None => &[],
            };
            assert_eq!(files, wanted, "{}", card.name);
            for split in files {
                let rows = Suite::Mini.count(&card, split);
                assert!(
                    rows.is_ok_and(|rows| rows > Some(0)),
                    "{}/{split}",
                    card.name
                );
            }
            if let Ok(target) = Suite::Mini.target(&card) {
                let rows = load(&Suite::Mini, &card.name, &target, Limit::All).expect("rows");
                let questions = card.task == Task::ExtractiveQa;
                for example in rows.examples {
                    assert_eq!(questions, !example.facts.is_empty(), "{}", example.id);
                }
            }
        }
    }
}
