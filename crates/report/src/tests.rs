use std::path::Path;

use super::document::{Figure, terminal};
use super::fixture::Fixture;
use super::sections::differences;
use super::sections::verdict::Says;
use super::*;
use promptshift_numbers::recipe::{Method, PromptInit, PromptStart};
use promptshift_numbers::record::elsewhere::{Form, Found};
use promptshift_numbers::record::folder::End;
use promptshift_numbers::record::search::{Search, Trial, TrialEnd};
use promptshift_numbers::record::{Score, Stop, Texts, TunedElsewhere};
use promptshift_numbers::stats::estimate::Estimate;

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

/// Compares a report with its golden file byte for byte. `PROMPTSHIFT_BLESS=FOLDER cargo test
/// report` writes reports and figures there, to be looked at and copied to `crates/report/src/golden`.
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
    assert!(
        report.markdown == wanted,
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
    Fixture {
        passages: 20,
        ..Fixture::one_target()
    }
    .records()
}

fn report(records: &[StoredRecord]) -> Report {
    render(records, "figures").expect("the records are consistent")
}

/// What the cautions of the first study are about.
fn cautioned(report: &Report) -> Vec<&'static str> {
    let cautions = report.comparisons[0].cautions.iter();
    cautions.map(|caution| caution.about).collect()
}

/// What the first study says of a method.
fn says(report: &Report, method: Method) -> Option<Says> {
    let mut verdicts = report.comparisons[0].verdict.iter();
    verdicts
        .find(|one| one.method == method)
        .map(|one| one.finished)
}

#[test]
fn a_missing_cell_is_missing_and_not_zero() {
    let mut records = records();
    records.retain(|stored| {
        (stored.record.cell.method, stored.record.cell.seed) != (Method::Model, 1)
    });
    let report = report(&records);
    let row = "| model tuning, 1 | missing | missing | missing | missing |";
    assert!(report.markdown.contains(row), "{}", report.markdown);
    assert!(cautioned(&report).contains(&"seeds"));
}

/// The section on costs, and the number of panels of its figure.
fn costs(report: &Report) -> (String, usize) {
    let from = report.markdown.find("## Cost").expect("a section");
    let section = &report.markdown[from..];
    let to = section[2..]
        .find("\n## ")
        .map_or(section.len(), |end| end + 2);
    let figure = (report.figures.iter()).find(|figure| figure.name.starts_with("costs"));
    let panels = figure.expect("a figure").svg.matches("[%]").count();
    (section[..to].to_owned(), panels)
}

#[test]
fn times_of_unlike_hardware_are_not_compared() {
    let mut records = records();
    let (like, panels) = costs(&report(&records));
    assert!(like.contains("training seconds") && like.contains("peak memory"));
    assert_eq!(panels, 3);
    let model = |stored: &&mut StoredRecord| stored.record.cell.method == Method::Model;
    for stored in records.iter_mut().filter(model) {
        stored.record.provenance.gpu = Some("Synthetic GPU".to_owned());
        stored.record.provenance.device = format!("cuda:{}", stored.record.cell.seed);
    }
    let rendered = report(&records);
    let (unlike, panels) = costs(&rendered);
    for measured in ["training seconds", "tokens/s", "peak memory", "examples/s"] {
        assert!(!unlike.contains(measured), "{measured}: {unlike}");
    }
    assert!(unlike.contains("| trainable parameters |"), "{unlike}");
    let machines = "(Synthetic CPU (cpu); Synthetic GPU with Synthetic CPU)";
    assert!(unlike.contains(machines), "{unlike}");
    assert_eq!(panels, 1);
    assert!(cautioned(&rendered).contains(&"several machines"));
}

#[test]
fn how_many_runs_shared_the_machine_is_said() {
    let mut records = records();
    assert!(!costs(&report(&records)).0.contains("shared the machine"));
    for stored in &mut records {
        stored.record.provenance.side_by_side = 4;
    }
    let (section, _) = costs(&report(&records));
    assert!(
        section.contains("Up to 4 runs shared the machine"),
        "{section}"
    );
    records[1].record.provenance.side_by_side = 2;
    let (section, _) = costs(&report(&records));
    assert!(section.contains("(2 and 4 at a time)"), "{section}");
}

/// The records without those of some cells, and these cells as unfinished.
fn without(wanted: impl Fn(Method, u64) -> bool, end: End) -> (Vec<StoredRecord>, Vec<Unfinished>) {
    let (gone, kept): (Vec<_>, Vec<_>) = records().into_iter().partition(|stored| {
        let cell = &stored.record.cell;
        wanted(cell.method, cell.seed)
    });
    let unfinished = gone.into_iter().map(|stored| Unfinished {
        cell: stored.record.cell,
        end: end.clone(),
    });
    (kept, unfinished.collect())
}

#[test]
fn a_failed_run_is_failed_and_not_zero() {
    let reason = "the loss at step 7 is NaN".to_owned();
    let (records, failed) = without(
        |method, seed| (method, seed) == (Method::Model, 1),
        End::Failed { reason },
    );
    let report = render_with(&records, &failed, "figures").expect("consistent");
    let text = &report.markdown;
    let row = "| model tuning, 1 | failed | failed | failed | failed |";
    assert!(text.contains(row), "{text}");
    assert!(
        text.contains("| **model tuning**, 2 seeds, 1 failed |"),
        "{text}"
    );
    assert!(cautioned(&report).contains(&"failed runs"));
    assert!(text.contains("the loss at step 7 is NaN"), "{text}");
    // A record of the same cell says more than the failure of an earlier try.
    let whole = self::records();
    assert_eq!(
        render_with(&whole, &failed, "figures").expect("consistent"),
        render(&whole, "figures").expect("consistent")
    );
}

#[test]
fn a_method_of_which_every_run_failed_is_failed() {
    let reason = "the loss at step 0 is NaN".to_owned();
    let (records, failed) = without(|method, _| method == Method::Model, End::Failed { reason });
    let text = render_with(&records, &failed, "figures")
        .expect("consistent")
        .markdown;
    assert!(
        text.contains("| model tuning | failed | failed | failed |"),
        "{text}"
    );
    let rows = leaderboard::leaderboard(&records, &failed)
        .expect("consistent")
        .rows;
    assert!(
        rows.iter()
            .all(|row| row.method != Method::Model && row.failed_seeds.is_empty())
    );
}

#[test]
fn a_run_that_was_begun_is_unfinished() {
    let (records, begun) = without(
        |method, seed| (method, seed) == (Method::Prompt, 2),
        End::Missing,
    );
    let report = render_with(&records, &begun, "figures").expect("consistent");
    let row = "| prompt tuning, 2 | unfinished | unfinished | unfinished | unfinished |";
    assert!(report.markdown.contains(row), "{}", report.markdown);
    assert!(cautioned(&report).contains(&"unfinished runs"));
}

/// The records with a search of so many trials behind each method.
fn searched(trials: impl Fn(Method) -> usize) -> Vec<StoredRecord> {
    let mut records = records();
    for stored in &mut records {
        let method = stored.record.cell.method;
        if method == Method::Untuned {
            continue;
        }
        let trial = |place: usize| Trial {
            learning_rate: 0.25 * (1 + place) as f64,
            end: match place {
                2 => TrialEnd::Failed {
                    reason: "NaN".to_owned(),
                },
                _ => TrialEnd::Scored {
                    validation_score: 0.5 + 0.1 * place as f64,
                    best_step: 80,
                    train_seconds: 1.0,
                },
            },
        };
        let all = (0..trials(method)).map(trial).collect();
        stored.record.cell.trials = Some(trials(method));
        stored.record.search = Some(Search::of(9, all));
    }
    records
}

#[test]
fn a_search_is_told_of_trial_by_trial() {
    let report = report(&searched(|_| 3));
    let text = &report.markdown;
    // .5, .6 and a failure: 36.7 for one; (.5 · 3 + .6 · 5)/9 for two; (.5 · 7 + .6 · 19)/27 for three.
    let row = "| prompt tuning | 0.25: 50.0; 0.5: 60.0; 0.75: failed | 0.5 | 36.7 | 50.0 | 55.2 |";
    assert!(text.contains(row), "{text}");
    assert!(text.contains("had 3 trials"), "{text}");
    assert!(
        report
            .figures
            .iter()
            .any(|figure| figure.name == "budget.svg")
    );
    assert!(!cautioned(&report).contains(&"unequal budgets"));
    let unequal = self::report(&searched(|method| 2 + usize::from(method == Method::Model)));
    assert!(cautioned(&unequal).contains(&"unequal budgets"));
    assert!(self::report(&records()).markdown.contains("had 1 trial"));
}

#[test]
fn a_missing_method_is_missing_and_not_zero() {
    let mut records = records();
    records.retain(|stored| stored.record.cell.method == Method::Prompt);
    let report = report(&records);
    assert!(
        report
            .markdown
            .contains("| model tuning | missing | missing | missing |")
    );
    assert_eq!(says(&report, Method::Prompt), Some(Says::NoReference));
    assert_eq!(report.comparisons[0].difference, None);
}

#[test]
fn older_records_say_what_they_do_not_hold() {
    let mut records = records();
    for stored in &mut records {
        stored.validation.clear();
        stored.record.validation = None;
        for prediction in stored.predictions.iter_mut().flatten() {
            prediction.traits = None;
        }
    }
    let markdown = report(&records).markdown;
    assert!(markdown.contains("Scaled: –"), "{markdown}");
    assert!(!markdown.contains("question word: who"), "{markdown}");
}

/// The records as they were before predictions at checkpoints were kept.
fn without_checkpoints(mut records: Vec<StoredRecord>) -> Vec<StoredRecord> {
    for stored in &mut records {
        stored.checkpoints.clear();
        if let Some(training) = &mut stored.record.training {
            training.checkpoints.clear();
        }
    }
    records
}

#[test]
fn runs_of_model_tuning_and_their_checkpoints_make_a_line() {
    let found = |records: &[StoredRecord]| {
        let mut report = report(records);
        (
            report.comparisons[0].statistics.robustness.remove(0),
            report.markdown,
        )
    };
    let (with, markdown) = found(&Fixture::one_target().records());
    let line = with.line.as_ref().expect("three runs at six steps");
    assert_eq!((line.points, line.runs), (18, 3));
    assert!(with.above.is_some(), "{:?}", with.reason);
    assert!(markdown.contains("limited by those"), "{markdown}");
    let (few, markdown) = found(&without_checkpoints(Fixture::one_target().records()));
    assert_eq!(few.line, None);
    assert!(markdown.contains("found 3"), "{markdown}");
    let falling = Fixture {
        together: -0.6,
        ..Fixture::one_target()
    };
    let (falling, markdown) = found(&falling.records());
    assert!(falling.line.is_some() && falling.above.is_none());
    assert!(markdown.contains("the line falls"), "{markdown}");
}

#[test]
fn checkpoints_that_are_not_of_the_same_rows_are_refused() {
    let mut records = records();
    let model = records.iter_mut().find(|one| !one.checkpoints.is_empty());
    model.expect("model tuning has some").checkpoints[1][1].swap(0, 1);
    let error = render(&records, "figures").expect_err("rows in another order");
    assert!(matches!(error, ReportError::Mixed { .. }), "{error}");
    let mut records = self::records();
    let mut trainings = records
        .iter_mut()
        .filter_map(|one| one.record.training.as_mut());
    let training = trainings.find(|one| !one.checkpoints.is_empty());
    training.expect("model tuning has some").checkpoints[1].scores[0].score += 0.01;
    let error = render(&records, "figures").expect_err("a score that is not its predictions'");
    assert!(matches!(error, ReportError::Metric { .. }), "{error}");
}

#[test]
fn peaks_are_shown_by_parts_or_as_not_recorded() {
    let mut records = records();
    let markdown = report(&records).markdown;
    let gradients = "| – gradients | 10.2 kB | 5.8 MB | – |";
    assert!(markdown.contains(gradients), "{markdown}");
    // 320 MB less what is told.
    assert!(
        markdown.contains("| – remainder | 14.1 MB | 18.3 MB | – |"),
        "{markdown}"
    );
    let forget = |stored: &mut StoredRecord, method: Method| {
        if let Some(training) = &mut stored.record.training
            && stored.record.cell.method == method
        {
            training.peak_parts = None;
        }
    };
    records
        .iter_mut()
        .for_each(|one| forget(one, Method::Model));
    let markdown = report(&records).markdown;
    let gradients = "| – gradients | 10.2 kB | not recorded | – |";
    assert!(markdown.contains(gradients), "{markdown}");
    records
        .iter_mut()
        .for_each(|one| forget(one, Method::Prompt));
    let markdown = report(&records).markdown;
    let none = "| – its parts | not recorded | not recorded | – |";
    assert!(markdown.contains(none), "{markdown}");
    assert!(!markdown.contains("– gradients"), "{markdown}");
}

#[test]
fn a_seed_more_or_less_is_what_intervals_are_made_of() {
    let width = |seeds: u64| {
        let fixture = Fixture {
            seeds: (0..seeds).collect(),
            ..Fixture::one_target()
        };
        let interval = report(&fixture.records()).comparisons[0].results.methods[1].scores[0]
            .score
            .interval;
        interval.high - interval.low
    };
    assert!(width(6) < width(2));
}

#[test]
fn one_seed_is_said_to_be_one() {
    let fixture = Fixture {
        seeds: vec![4],
        ..Fixture::one_target()
    };
    let report = report(&fixture.records());
    assert!(cautioned(&report).contains(&"seeds"));
    assert_eq!(
        report.comparisons[0].results.methods[1].scores[0].deviation,
        None
    );
}

#[test]
fn a_choice_by_few_validation_rows_is_cautioned_and_what_intervals_cover_is_said() {
    let with = |rows: usize| {
        let mut records = records();
        for stored in &mut records {
            if let Some(validation) = &mut stored.record.validation {
                validation.examples = rows;
            }
        }
        report(&records)
    };
    assert!(!cautioned(&with(200)).contains(&"validation rows"));
    let few = with(199);
    assert!(cautioned(&few).contains(&"validation rows"));
    assert!(few.markdown.contains(
        "chosen on 199 rows of squad validation, where a score of 50 % has a standard error of 3.5"
    ));
    assert!(
        few.markdown
            .contains("**Given this recipe and these training rows.**")
    );
}

#[test]
fn the_untuned_backbone_alone_is_a_report() {
    let records = records();
    let report = report(&records[..1]);
    assert_eq!(report.comparisons[0].verdict, []);
    assert_eq!(report.figures.len(), 1);
}

#[test]
fn a_method_that_did_not_learn_has_no_gap_worth_comparing() {
    let mut fixture = Fixture::one_target();
    fixture.domains[0].1[Method::Prompt as usize] = 0.1;
    let report = report(&fixture.records());
    assert_eq!(says(&report, Method::Prompt), Some(Says::NotLearned));
    let caution = &report.comparisons[0].cautions[0];
    assert_eq!(caution.about, "learning");
    assert!(caution.remedy.contains("--learning-rate"), "{caution:?}");
}

#[test]
fn what_another_method_did_not_learn_is_no_loss_of_it() {
    let mut unlearned = Fixture::one_target();
    unlearned.domains[0].1[Method::Prompt as usize] = 0.1;
    let bitfit = (unlearned.records().into_iter())
        .filter(|stored| stored.record.cell.method == Method::Prompt)
        .map(|mut stored| {
            stored.record.cell.method = Method::Bitfit;
            stored.folder = stored.folder.join("bitfit");
            stored
        });
    let records: Vec<StoredRecord> = (Fixture::one_target().records().into_iter())
        .chain(bitfit)
        .collect();
    let report = report(&records);
    assert_eq!(says(&report, Method::Bitfit), Some(Says::NotLearned));
    assert_ne!(says(&report, Method::Prompt), Some(Says::NotLearned));
}

#[test]
fn what_takes_no_steps_neither_stalls_nor_learns() {
    let mut records = records();
    let told = |report: &Report| {
        let about = cautioned(report);
        (
            about.contains(&"undertrained") || about.contains(&"stalled runs"),
            report.figures.iter().any(|one| one.name == "curves.svg"),
        )
    };
    for training in (records.iter_mut()).filter_map(|one| one.record.training.as_mut()) {
        training.best_step = training.steps;
        training.stop = Stop::Budget;
    }
    assert_eq!(told(&report(&records)), (true, true));
    for training in (records.iter_mut()).filter_map(|one| one.record.training.as_mut()) {
        training.steps = 0;
        training.best_step = 0;
        training.curve.truncate(1);
        training.checkpoints.clear();
    }
    assert_eq!(told(&report(&records)), (false, false));
}

#[test]
fn what_has_no_text_or_no_examples_is_said_in_words() {
    let mut records = Fixture {
        passages: 10,
        ..Fixture::one_target()
    }
    .records();
    let markdown = report(&records).markdown;
    assert!(markdown.contains("drawn by a hash"), "{markdown}");
    for stored in &mut records {
        stored.record.texts = Texts::Hashed;
    }
    let markdown = report(&records).markdown;
    assert!(markdown.contains("hashes in place of texts"), "{markdown}");
    assert!(!markdown.contains("<summary>Every group"), "{markdown}");
    assert!(
        markdown.contains("are not scored: none has 50 examples"),
        "{markdown}"
    );
}

#[test]
fn a_ranking_is_told_beside_the_labels_that_were_said() {
    let mut records = Fixture::pairs().records();
    assert!(!report(&records).markdown.contains("AUROC"));
    for prediction in records
        .iter_mut()
        .flat_map(|stored| stored.predictions.iter_mut().flatten())
    {
        let Score::Label { gold, .. } = prediction.score else {
            panic!("pairs have labels")
        };
        let second = if gold == 1 { 0.3_f64 } else { 0.2 };
        prediction.class_log_probs = Some(vec![(1.0 - second).ln(), second.ln()]);
    }
    let report = report(&records);
    let row = (report.markdown.lines())
        .find(|line| line.starts_with("| prompt tuning, mrpc | 100.0 ± 0.0 |"));
    assert!(row.is_some(), "{}", report.markdown);
    assert!(
        report.markdown.contains("“synthetic” on mrpc"),
        "{}",
        report.markdown
    );
}

#[test]
fn nothing_is_lost_at_the_floor() {
    let mut fixture = Fixture::one_target();
    fixture.domains[1].1 = [0.05, 0.1, 0.6];
    let report = report(&fixture.records());
    assert_eq!(says(&report, Method::Prompt), Some(Says::AtFloor));
    assert!(cautioned(&report).contains(&"the floor"));
}

#[test]
fn several_studies_have_a_section_and_figures_each() {
    let mut all = records();
    let pairs = Fixture {
        passages: 20,
        ..Fixture::pairs()
    }
    .records();
    all.extend(pairs.into_iter().map(|stored| StoredRecord {
        folder: Path::new("pairs").join(&stored.folder),
        ..stored
    }));
    let report = report(&all);
    assert_eq!(report.comparisons.len(), 2);
    assert!(report.markdown.starts_with("# squad → textbookqa\n"));
    assert!(report.markdown.contains("\n# qqp → mrpc\n"));
    assert!(report.markdown.contains("(figures/scores-2.svg)"));
    assert!(
        report
            .figures
            .iter()
            .any(|figure| figure.name == "scores-2.svg")
    );
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
fn records_that_do_not_belong_together_are_an_error() {
    let error = |change: &dyn Fn(&mut Vec<StoredRecord>)| {
        let mut records = records();
        change(&mut records);
        render(&records, "figures")
            .expect_err("an error was wanted")
            .to_string()
    };
    assert_eq!(error(&|records| records.clear()), "no records to report on");
    let text = error(&|records| {
        records[2].record.cell.seed = 0;
    });
    assert!(
        text.contains("are both prompt tuning with seed 0"),
        "{text}"
    );
    let text = error(&|records| {
        records[2].record.provenance.model_sha256 = "e".repeat(64);
    });
    assert!(text.contains("model_sha256"), "{text}");
    let text = error(&|records| {
        let recipe = records[2]
            .record
            .cell
            .recipe
            .as_mut()
            .expect("a tuned cell");
        recipe.budget.steps = 9;
    });
    assert!(
        text.contains("recipe.budget.steps is 400 in the first and 9"),
        "{text}"
    );
    let text = error(&|records| {
        records[3].predictions[1][0].id = "other".to_owned();
    });
    assert!(
        text.contains("the list of examples of textbookqa"),
        "{text}"
    );
}

#[test]
fn a_metric_that_its_predictions_do_not_give_is_an_error() {
    let mut records = records();
    records[1].record.evaluations[1]
        .metrics
        .insert("f1".to_owned(), 0.99);
    let error = render(&records, "figures")
        .expect_err("an error was wanted")
        .to_string();
    assert!(
        error.contains("f1 on textbookqa is 0.99, but its predictions give"),
        "{error}"
    );
}

#[test]
fn the_same_numbers_are_in_words_and_in_json() {
    let report = report(&records());
    let value: serde_json::Value = serde_json::from_str(&json(&report.comparisons)).expect("JSON");
    assert_eq!(value[0]["source"], "squad");
    let score = value[0]["methods"][1]["scores"][0]["score"]["value"]
        .as_f64()
        .expect("a number");
    let text = number::percent(score);
    let row = report
        .markdown
        .lines()
        .find(|line| line.starts_with("| **prompt tuning**"));
    assert!(row.is_some_and(|row| row.contains(&format!(" {text} |"))));
    let summary = report::summary(&report.comparisons[0]);
    let screen = terminal::text(&summary);
    assert!(screen.contains(&text));
    let table = screen
        .lines()
        .filter(|line| line.contains('─') || line.contains("tuning"));
    let widest = table
        .filter(|line| !line.contains(". "))
        .map(|line| line.chars().count())
        .max();
    assert!(widest <= Some(120), "{screen}");
}

#[test]
fn many_methods_have_a_row_each_and_the_same_three_sentences() {
    let mut records = Fixture::one_target().records();
    let prompts: Vec<StoredRecord> = (records.iter())
        .filter(|stored| stored.record.cell.method == Method::Prompt)
        .cloned()
        .collect();
    let few = render(&records, "few").expect("consistent");
    assert!(
        few.figures
            .iter()
            .all(|figure| figure.name != "methods.svg")
    );
    let others = [
        Method::Lora,
        Method::Bitfit,
        Method::Norms,
        Method::Ia3,
        Method::Prefix,
        Method::Houlsby,
    ];
    for method in others {
        records.extend(prompts.iter().cloned().map(|mut stored| {
            stored.record.cell.method = method;
            stored.folder = stored.folder.join(method.name());
            stored
        }));
    }
    let many = render(&records, "many").expect("consistent");
    // The verdict is as short for many methods as for two: a row more for each, and the same three sentences.
    let answers = [&few, &many].map(|report| report.comparisons[0].answer.len());
    assert_eq!(answers, [3, 3]);
    assert_eq!(many.comparisons[0].verdict.len(), 2 + others.len());
    let row = "| **Houlsby adapters**, 3 seeds |";
    assert!(many.markdown.contains(row), "{}", many.markdown);
    let figure = |name: &str| {
        let found = many.figures.iter().find(|figure| figure.name == name);
        found.expect("drawn").svg.clone()
    };
    assert!(figure("methods.svg").contains("Houlsby adapters"));
    // Of the others, as many as a panel has room for.
    let told = |svg: &str| {
        others
            .iter()
            .filter(|method| svg.contains(method.title()))
            .count()
    };
    assert_eq!(told(&figure("scores.svg")), 2);
}

#[test]
fn a_start_that_has_seen_a_target_is_told() {
    let started = |tuned_on: Option<&str>| {
        let mut records = Fixture::one_target().records();
        for stored in &mut records {
            let recipe = stored.record.cell.recipe.as_mut();
            if let Some(prompt) = recipe.and_then(|recipe| recipe.prompt.as_mut()) {
                prompt.init = PromptInit::File(PromptStart {
                    path: "prompt.safetensors".to_owned(),
                    sha256: "0".to_owned(),
                    tuned_on: tuned_on.map(|domain| vec!["squad".to_owned(), domain.to_owned()]),
                });
            }
        }
        render(&records, "started").expect("consistent")
    };
    let zero_shot = |report: &Report| !cautioned(report).contains(&"not zero-shot");
    let before = |report: &Report| report.comparisons[0].results.before.clone();
    let on_target = started(Some("textbookqa"));
    assert!(!zero_shot(&on_target));
    assert_eq!(before(&on_target), ["textbookqa"]);
    let elsewhere = started(Some("race"));
    assert!(zero_shot(&elsewhere));
    assert_eq!(before(&elsewhere), ["race"]);
    assert!(elsewhere.markdown.contains("tuned on race before"));
    assert!(!zero_shot(&started(None)), "it may have seen a target");
}

/// The prompt's runs, as if someone else had tuned them.
fn with_elsewhere(mut records: Vec<StoredRecord>) -> Vec<StoredRecord> {
    let mut theirs: Vec<StoredRecord> = (records.iter())
        .filter(|stored| stored.record.cell.method == Method::Prompt)
        .cloned()
        .collect();
    for (stored, run) in theirs.iter_mut().zip(0..) {
        let cell = &mut stored.record.cell;
        (cell.method, cell.seed, cell.recipe) = (Method::Elsewhere, run, None);
        let mut given = TunedElsewhere::at("mine", &format!("their/{run}"));
        given.found = Some(Found {
            form: Form::Prompt,
            sha256: format!("{run}").repeat(64),
            bytes: 4_321,
            parameters: 1_234,
            total_parameters: 56_789,
        });
        cell.elsewhere = Some(given);
        stored.record.training = None;
        stored.record.validation = None;
        stored.validation.clear();
        stored.folder = Path::new("runs").join(format!("elsewhere-seed{run}"));
    }
    records.extend(theirs);
    records
}

#[test]
fn what_was_tuned_elsewhere_is_a_row_as_any_and_changes_no_other() {
    let without = Fixture::one_target().records();
    let before = render(&without, "figures").expect("consistent");
    let after = render(&with_elsewhere(without), "figures").expect("consistent");
    let (one, other) = (&before.comparisons[0], &after.comparisons[0]);
    assert_eq!(other.results.methods[..3], one.results.methods[..]);
    assert_eq!(other.difference, one.difference);
    let (prompt, mine) = (
        other.results.method(Method::Prompt).expect("there"),
        other.results.method(Method::Elsewhere).expect("there"),
    );
    assert_eq!(mine.title, "mine (tuned elsewhere)");
    assert_eq!(mine.source().by_seed, prompt.source().by_seed);
    assert!(
        mine.mean_gap
            .is_some_and(|gap| gap.interval.low < gap.interval.high)
    );
    let cost = mine.cost.as_ref().expect("it was evaluated");
    assert!(cost.training.is_none() && mine.trainable() == 1_234);
    let tests = |method| differences::of(&other.statistics.against_model, method);
    let against = tests(Method::Elsewhere).expect("model tuning");
    assert!(against.mean.score_p_value.is_some());
    // Runs of others share no seeds with those that were trained here.
    let paired = tests(Method::Prompt).expect("model tuning");
    let width = |estimate: Estimate| estimate.interval.high - estimate.interval.low;
    assert_ne!(
        width(against.mean.difference),
        width(paired.mean.difference)
    );
    for words in [
        "| **mine (tuned elsewhere)**, 3 runs |",
        "| mine (tuned elsewhere), run 0 |",
        "run 2: a prompt in `their/2`, SHA-256 2222",
        "1,234",
    ] {
        assert!(
            after.markdown.contains(words),
            "{words}: {}",
            after.markdown
        );
    }
    let svg: String = after.figures.iter().map(|one| one.svg.as_str()).collect();
    assert!(svg.contains("mine (tuned elsewhere)"));
    let json = serde_json::to_string(&after.comparisons).expect("plain data");
    assert!(json.contains("mine (tuned elsewhere)"));
}

#[test]
fn runs_of_two_names_are_not_one_method() {
    let mut records = with_elsewhere(Fixture::one_target().records());
    let last = records.last_mut().expect("some");
    let given = last.record.cell.elsewhere.as_mut().expect("a run of mine");
    given.name = "theirs".to_owned();
    match render(&records, "figures") {
        Err(ReportError::Mixed { field, .. }) => assert_eq!(field, "elsewhere.name"),
        other => panic!("wanted a refusal, found {other:?}"),
    }
}
