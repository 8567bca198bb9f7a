mod incomplete;
mod methods;

use std::path::Path;

use super::comparison::Comparison;
use super::document::{Figure, terminal};
use super::fixture::{Fixture, as_method, assert_has};
use super::sections::verdict::Says;
use super::*;
use promptshift_numbers::recipe::Method;
use promptshift_numbers::record::folder::{StoredRecord, Unfinished};

/// A rendered report.
#[derive(Debug, PartialEq)]
struct Report {
    markdown: String,
    figures: Vec<Figure>,
    comparisons: Vec<Comparison>,
}

fn render(records: &[StoredRecord], figure_folder: &str) -> Result<Report, ReportError> {
    render_with(records, &[], figure_folder)
}

fn render_with(
    records: &[StoredRecord],
    unfinished: &[Unfinished],
    figure_folder: &str,
) -> Result<Report, ReportError> {
    let analysis = analyse(records, unfinished)?;
    Ok(Report {
        markdown: analysis.document.markdown(figure_folder),
        figures: analysis.document.figures().cloned().collect(),
        comparisons: analysis.comparisons,
    })
}

/// Compares a report with its golden file byte for byte. With `PROMPTSHIFT_BLESS=FOLDER` it writes reports and
/// figures into that folder instead, to be checked and copied to `crates/report/src/golden`.
fn golden(name: &str, wanted: &str) {
    let fixture = match name {
        "one_target" => Fixture::one_target(),
        "six_targets" => Fixture::six_targets(),
        _ => Fixture::pairs(),
    };
    let report = render(&fixture.records(), name).expect("the fixture is consistent");
    if let Ok(folder) = std::env::var("PROMPTSHIFT_BLESS") {
        let folder = Path::new(&folder);
        std::fs::create_dir_all(folder.join(name)).expect("a folder for figures");
        std::fs::write(folder.join(format!("{name}.md")), &report.markdown).expect("written");
        for figure in &report.figures {
            std::fs::write(folder.join(name).join(&figure.name), &figure.svg).expect("written");
        }
        return;
    }
    let is_same = report.markdown == wanted;
    assert!(
        is_same,
        "{name} is not its golden file:\n{}",
        report.markdown
    );
    assert_eq!(report, render(&fixture.records(), name).expect("again"));
}

#[test]
fn one_target_is_its_golden_file() {
    golden("one_target", include_str!("golden/one_target.md"));
}

#[test]
fn six_targets_are_their_golden_file() {
    golden("six_targets", include_str!("golden/six_targets.md"));
}

#[test]
fn pairs_are_their_golden_file() {
    golden("pairs", include_str!("golden/pairs.md"));
}

fn records() -> Vec<StoredRecord> {
    Fixture::one_target().of_passages(20).records()
}

fn report(records: &[StoredRecord]) -> Report {
    render(records, "figures").expect("the records are consistent")
}

/// The subjects of the first study's cautions.
fn cautioned(report: &Report) -> Vec<&'static str> {
    let cautions = report.comparisons[0].cautions.iter();
    cautions.map(|caution| caution.about).collect()
}

/// The first study's verdict on a method's finished runs.
fn says(report: &Report, method: Method) -> Option<Says> {
    let mut verdicts = report.comparisons[0].verdict.iter();
    verdicts
        .find(|one| one.method == method)
        .map(|one| one.finished)
}

#[test]
fn more_seeds_narrow_the_intervals() {
    let width = |seeds: u64| {
        let records = Fixture::one_target().of_seeds(0..seeds).records();
        let prompt = report(&records).comparisons[0].results.methods[1].clone();
        let interval = prompt.source().score.interval;
        interval.high - interval.low
    };
    assert!(width(6) < width(2));
}

#[test]
fn one_seed_gets_a_caution() {
    let report = report(&Fixture::one_target().of_seeds([4]).records());
    assert!(cautioned(&report).contains(&"seeds"));
    let prompt = &report.comparisons[0].results.methods[1];
    assert_eq!(prompt.source().deviation, None);
}

#[test]
fn few_validation_rows_get_a_caution_and_the_report_says_what_intervals_cover() {
    let with = |rows: usize| {
        let mut records = records();
        for validation in (records.iter_mut()).filter_map(|one| one.record.validation.as_mut()) {
            validation.examples = rows;
        }
        report(&records)
    };
    assert!(!cautioned(&with(200)).contains(&"validation rows"));
    let few = with(199);
    assert!(cautioned(&few).contains(&"validation rows"));
    let words = "chosen by 199 rows of squad validation, on which a score of 50 % has a standard error of 3.5";
    assert_has(&few.markdown, words);
    assert_has(
        &few.markdown,
        "**Given this recipe and these training rows.**",
    );
}

#[test]
fn each_study_has_its_own_part_and_figures() {
    let mut all = records();
    let pairs = Fixture::pairs().of_passages(20).records();
    all.extend(pairs.into_iter().map(|stored| StoredRecord {
        folder: Path::new("pairs").join(&stored.folder),
        ..stored
    }));
    let report = report(&all);
    assert_eq!(report.comparisons.len(), 2);
    assert!(report.markdown.starts_with("# squad → textbookqa\n"));
    assert_has(&report.markdown, "\n# qqp → mrpc\n");
    assert_has(&report.markdown, "(figures/scores-2.svg)");
    assert!((report.figures.iter()).any(|figure| figure.name == "scores-2.svg"));
}

#[test]
fn a_folder_given_twice_counts_once() {
    let records = records();
    let twice = [records.clone(), records.clone()].concat();
    assert_eq!(report(&twice), report(&records));
}

#[test]
fn the_order_of_records_does_not_matter() {
    let records = records();
    let backwards: Vec<StoredRecord> = records.iter().rev().cloned().collect();
    assert_eq!(report(&backwards).markdown, report(&records).markdown);
}

#[test]
fn records_that_are_not_comparable_are_an_error() {
    type Change<'a> = &'a dyn Fn(&mut Vec<StoredRecord>);
    let cases: [(Change, &str); 6] = [
        (&|records| records.clear(), "no records to report on"),
        (
            &|records| records[2].record.cell.seed = 0,
            "are both prompt tuning with seed 0",
        ),
        (
            &|records| records[2].record.provenance.model_sha256 = "e".repeat(64),
            "model_sha256",
        ),
        (
            &|records| {
                let recipe = records[2].record.cell.recipe.as_mut();
                recipe.expect("a tuned cell").budget.steps = 9;
            },
            "recipe.budget.steps is 400 in the first and 9",
        ),
        (
            &|records| records[3].predictions[1][0].id = "other".to_owned(),
            "the list of examples of textbookqa",
        ),
        (
            &|records| {
                let metrics = &mut records[1].record.evaluations[1].metrics;
                metrics.insert("f1".to_owned(), 0.99);
            },
            "f1 on textbookqa is 0.99, but its predictions give",
        ),
    ];
    for (change, wanted) in cases {
        let mut records = records();
        change(&mut records);
        let error = render(&records, "figures").expect_err(wanted);
        assert_has(&error.to_string(), wanted);
    }
}

#[test]
fn words_and_json_have_the_same_numbers() {
    let report = report(&records());
    let value: serde_json::Value = serde_json::from_str(&json(&report.comparisons)).expect("JSON");
    assert_eq!(value[0]["source"], "squad");
    let score = &value[0]["methods"][1]["scores"][0]["score"]["value"];
    let text = number::percent(score.as_f64().expect("a number"));
    let row = (report.markdown.lines()).find(|line| line.starts_with("| **prompt tuning**"));
    assert_has(row.expect("a row"), &format!(" {text} |"));
    let summary = report::summary(&report.comparisons[0]);
    let screen = terminal::text(&summary);
    assert_has(&screen, &text);
    let is_of_table = |line: &&str| line.contains('─') || line.contains("tuning");
    let table = (screen.lines())
        .filter(is_of_table)
        .filter(|line| !line.contains(". "));
    let widest = table.map(|line| line.chars().count()).max();
    assert!(widest <= Some(120), "{screen}");
}
