//! Throughput of every component on fixed workloads: `cargo bench --bench suite`.
//!
//! Ids are paths, such as `train_step/prompt/small/256`: operation, method or file, model, number of input
//! tokens; `small-dropout-0.1` is the model with the paper's dropout. Methods are timed on the same batch.
//! Each workload's result is checked before timing, and each timing ends when the device has finished.
//! `PROMPTSHIFT_DEVICE` selects the device; on others than the CPU ids say which, and the precision of its products:
//! `train_step/prompt/small@cuda:0,tf32/256`.

mod bed;

use std::hint::black_box;
use std::time::Duration;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group};
use promptshift::backbone::Backbone;
use promptshift::batch::{Batches, encode};
use promptshift::domain::catalogue::Catalogue;
use promptshift::domain::sampling::Limit;
use promptshift::domain::suite::Suite;
use promptshift::domain::wording::Wording;
use promptshift::domain::{AnswerForm, Example, Task};
use promptshift::layers::{Injected, Pass};
use promptshift::network::Encoded;
use promptshift::recipe::{Limits, Method};
use promptshift::record::Score;
use promptshift::score::{metrics, score};
use promptshift::stats::bootstrap::Bootstrap;
use promptshift::stats::panel::{Panel, Sample, Sum};
use promptshift::tuning::Tuned;

/// The miniature squad's training rows.
fn rows() -> Vec<Example> {
    let catalogue = Catalogue::bundled();
    let card = &catalogue.get("squad").expect("a bundled card");
    let suite = Suite::Mini;
    let splits = suite.source(card).expect("bundled files");
    suite
        .load(
            card,
            &splits.train,
            Limit::All,
            AnswerForm::Padded,
            &Wording::default(),
        )
        .expect("bundled rows")
        .examples
}

/// Text to token ids: parquet, tokenizer, batches, and back to scores.
fn data(c: &mut Criterion) {
    let examples = rows();
    let backbone = bed::nano(&bed::device());
    let limits = Limits::default_for(Task::ExtractiveQa);

    let mut group = c.benchmark_group("read_parquet");
    group.throughput(Throughput::Elements(examples.len() as u64));
    group.bench_function("mini/squad", |b| b.iter(|| black_box(rows())));
    group.finish();

    let bytes: usize = examples
        .iter()
        .map(|e| e.input.len() + e.target.len())
        .sum();
    let encodings = encode(&examples, &backbone.tokenizer, &limits);
    assert!(
        encodings.iter().all(|e| e.input.len() > 1),
        "tokens were made"
    );
    let mut group = c.benchmark_group("tokenize");
    group.sample_size(10);
    group.throughput(Throughput::Bytes(bytes as u64));
    group.bench_function("nano/squad", |b| {
        b.iter(|| black_box(encode(&examples, &backbone.tokenizer, &limits)));
    });
    group.finish();

    let mut batches = Batches::new(&encodings, 16, backbone.tokenizer.pad(), 0);
    assert_eq!(batches.next_batch().inputs.batch(), 16);
    let mut group = c.benchmark_group("batch");
    group.throughput(Throughput::Elements(16));
    group.bench_function("nano/squad", |b| b.iter(|| black_box(batches.next_batch())));
    group.finish();

    let card = Catalogue::bundled().get("squad").expect("a bundled card");
    let scored = |example: &Example| score(&example.target, &example.gold, &card);
    let scores: Vec<Score> = examples.iter().map(scored).collect();
    assert_eq!(metrics(Task::ExtractiveQa, &scores)["exact_match"], 1.0);
    let mut group = c.benchmark_group("score");
    group.throughput(Throughput::Elements(examples.len() as u64));
    group.bench_function("squad", |b| {
        b.iter(|| {
            examples.iter().map(scored).for_each(|s| {
                black_box(s);
            })
        });
    });
    group.finish();
}

/// The encoder without autodiff, with growing inputs and a constant total number of tokens.
fn encoder(c: &mut Criterion) {
    let device = bed::device();
    let mut group = c.benchmark_group("encoder");
    group.sample_size(10);
    group.measurement_time(Duration::from_secs(2));
    for backbone in [bed::nano(&device), bed::small(&device)] {
        for length in [128, 256, 512, 1024] {
            let examples = 2048 / length;
            let inputs = bed::batch(&backbone, examples, length).inputs;
            let tuned = Tuned::untuned(backbone.model.clone());
            let encode = || {
                let encoded = tuned.encode(&inputs, &mut Pass::evaluation());
                device.sync().expect("the device works");
                encoded
            };
            let Encoded::T5(encoded) = encode() else {
                unreachable!("both are T5");
            };
            let [states, _] = encoded.hidden.dims();
            assert_eq!(states, examples * length, "a state for every token");
            bed::warm_up(&device, || drop(encode()));
            group.throughput(Throughput::Elements(2048));
            group.bench_function(BenchmarkId::new(bed::model(&backbone), length), |b| {
                b.iter(|| black_box(encode()));
            });
        }
    }
    group.finish();
}

/// One optimiser step of each method on the same batch.
fn train_step(c: &mut Criterion) {
    let device = bed::device();
    let mut group = c.benchmark_group("train_step");
    group.sample_size(10);
    group.warm_up_time(Duration::from_millis(500));
    group.measurement_time(Duration::from_secs(2));
    let mut time = |backbone: &Backbone, method, dropout, [examples, length]: [usize; 2]| {
        let batch = bed::batch(backbone, examples, length);
        let tokens = batch.inputs.count() + batch.targets.count();
        let mut trainer = bed::trainer(backbone, method, dropout);
        let loss = trainer.step(&batch).expect("a finite loss");
        assert_eq!(
            loss.tokens,
            batch.targets.count(),
            "every target token counts"
        );
        bed::warm_up(&device, || {
            trainer.step(&batch).expect("a finite loss");
        });
        group.throughput(Throughput::Elements(tokens as u64));
        let id = BenchmarkId::new(bed::name(backbone, method, dropout), length);
        group.bench_function(id, |b| {
            b.iter(|| {
                trainer.step(&batch).expect("a finite loss");
                device.sync().expect("the device works");
            });
        });
    };
    let nano = bed::nano(&device);
    for method in bed::trained() {
        time(&nano, method, 0.0, [16, 128]);
    }
    let small = bed::small(&device);
    for method in [Method::Prompt, Method::Lora, Method::Model] {
        for dropout in [0.0, bed::DROPOUT] {
            time(&small, method, dropout, [8, 256]);
        }
    }
    group.finish();
}

/// Greedy decoding of 12 tokens from encoded inputs.
fn decode(c: &mut Criterion) {
    let device = bed::device();
    let mut group = c.benchmark_group("decode");
    group.sample_size(10);
    group.measurement_time(Duration::from_secs(2));
    for backbone in [bed::nano(&device), bed::small(&device)] {
        let inputs = bed::batch(&backbone, 16, 128).inputs;
        let model = &backbone.model;
        let encoded = model.encode(&inputs, Injected::default(), &mut Pass::evaluation());
        // No token ends an output, so that each has 12.
        let answer = || model.generate(&encoded, &[u32::MAX], 12);
        assert!(answer().iter().all(|output| output.ids.len() == 12));
        bed::warm_up(&device, || drop(answer()));
        group.throughput(Throughput::Elements(16));
        group.bench_function(BenchmarkId::new(bed::model(&backbone), 128), |b| {
            b.iter(|| black_box(answer()));
        });
    }
    group.finish();
}

/// The bootstrap of the intervals of two methods with five seeds on one domain of SQuAD's size.
fn bootstrap(c: &mut Criterion) {
    const EXAMPLES: usize = 10_570;
    let method = |shift: usize| -> Vec<Sample> {
        let runs = (0..5).flat_map(|seed| (0..EXAMPLES).map(move |example| (seed, example)));
        runs.map(|(seed, example)| {
            let score = ((example * 7 + seed * 3 + shift) % 11) as f64 / 10.0;
            Sample::new(seed as u64, (example / 5).to_string(), Sum::once(score))
        })
        .collect()
    };
    let panels = [Panel::new(&[method(0), method(4)])];
    let bootstrap = Bootstrap::default();
    let scores = || bootstrap.scores(&panels);
    let estimate = scores()[0][0].as_ref().expect("a score").value();
    assert!((0.4..0.6).contains(&estimate), "the mean is a half");
    let mut group = c.benchmark_group("bootstrap");
    group.sample_size(10);
    group.measurement_time(Duration::from_secs(2));
    group.throughput(Throughput::Elements((2 * 5 * EXAMPLES) as u64));
    group.bench_function("two_methods/five_seeds", |b| b.iter(|| black_box(scores())));
    group.finish();
}

criterion_group!(suite, data, bootstrap, encoder, train_step, decode);

fn main() {
    bed::begin();
    suite();
    Criterion::default().configure_from_args().final_summary();
}
