//! Peaks of memory: their parts, that they do not grow with the size of a file, and that a method designed for low
//! memory has a lower peak. It is a separate binary whose tests run one at a time, because the allocator counts the
//! whole process.

use std::fs::{self, File};
use std::hint::black_box;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use arrow::array::{ArrayRef, ListArray, RecordBatch, StringArray};
use arrow::buffer::OffsetBuffer;
use arrow::datatypes::{DataType, Field};
use burn::tensor::Device;
use parquet::arrow::ArrowWriter;
use parquet::basic::Compression;
use parquet::file::properties::WriterProperties;
use promptshift::backbone::{Backbone, BackboneChoice};
use promptshift::batch::Batch;
use promptshift::bert::Bert;
use promptshift::checkpoint::Weights;
use promptshift::decoder_only::DecoderOnly;
use promptshift::domain::card::Card;
use promptshift::domain::catalogue::Catalogue;
use promptshift::domain::sampling::Limit;
use promptshift::domain::suite::Suite;
use promptshift::layers::{HeadForm, Tokens};
use promptshift::memory::{allocated, apart, peak_of};
use promptshift::network::{Config, Network};
use promptshift::recipe::{
    Defaults, FrozenWeights, GradientCheckpointing, Method, Recipe, StepMemory,
};
use promptshift::record::{Moment, PeakParts};
use promptshift::t5::{Initialisation, T5, T5Config, initialise};
use promptshift::train::{Arithmetic, Course, PlannedStep, TensorBytes, Trainer, optimizer};
use promptshift::tuning::{self, MethodInputs};

/// Locked by the running test.
static ALONE: Mutex<()> = Mutex::new(());

fn alone() -> MutexGuard<'static, ()> {
    // The failure of another test does not prevent this one.
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Number of rows of the file; its texts take about 250 MB.
const ROWS: usize = 2_000_000;
/// One row in this many is of the requested data set.
const EVERY: usize = 4_000;
/// The memory that reading may take in addition.
const BOUND: u64 = 24 << 20;

fn batch(rows: std::ops::Range<usize>) -> RecordBatch {
    let length = rows.len();
    let column = |text: &dyn Fn(usize) -> String| -> ArrayRef {
        Arc::new(StringArray::from_iter_values(rows.clone().map(text)))
    };
    let answers = ListArray::new(
        Arc::new(Field::new("element", DataType::Utf8, true)),
        OffsetBuffer::from_lengths(vec![1; length]),
        column(&|row| format!("{row}")),
        None,
    );
    let subset = |row: usize| {
        if row.is_multiple_of(EVERY) {
            "RACE"
        } else {
            "DROP"
        }
        .to_string()
    };
    let context = |row: usize| {
        format!("The mill of number {row} stands by a brook and grinds oats for {row} farms.")
    };
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("subset", column(&subset)),
        ("context", column(&context)),
        ("qid", column(&|row| format!("question-{row}"))),
        (
            "question",
            column(&|row| format!("Which number has mill {row}?")),
        ),
        ("answers", Arc::new(answers)),
    ];
    RecordBatch::try_from_iter(columns).expect("columns of one length")
}

/// Writes the file with row groups of the default size, about a million rows.
fn write(path: &Path) {
    fs::create_dir_all(path.parent().expect("a file in a folder")).expect("a folder");
    let properties = WriterProperties::builder()
        .set_compression(Compression::SNAPPY)
        .build();
    let file = File::create(path).expect("a new file");
    let mut writer =
        ArrowWriter::try_new(file, batch(0..1).schema(), Some(properties)).expect("a schema");
    for first in (0..ROWS).step_by(10_000) {
        writer
            .write(&batch(first..first + 10_000))
            .expect("written");
    }
    writer.close().expect("a footer");
}

/// The number of rows read from a card's test split, and the additional bytes that this took.
fn read(suite: &Suite, card: &Card, limit: Limit) -> (usize, u64) {
    let target = suite.target(card).expect("has test");
    let ((), before) = peak_of(|| ());
    let (rows, peak) = peak_of(|| suite.read(card, &target, limit).expect("rows"));
    (rows.examples.len(), peak.saturating_sub(before))
}

#[test]
fn a_file_of_two_million_rows_is_read_in_little_memory() {
    let _alone = alone();
    let folder = tempfile::tempdir().expect("a temporary folder");
    write(&folder.path().join("race/test.parquet"));
    let suite = Suite::Folder(folder.path().to_path_buf());
    let catalogue = Catalogue::bundled();
    let card = &catalogue.get("race").expect("a bundled card");

    let (rows, bytes) = read(&suite, card, Limit::All);
    assert_eq!(
        rows,
        ROWS / EVERY,
        "every row is looked at and these are kept"
    );
    assert!(bytes < BOUND, "a data set among others took {bytes} bytes");

    let whole = Card {
        source: None,
        ..card.clone()
    };
    let (rows, bytes) = read(&suite, &whole, Limit::First(1_000));
    assert_eq!(rows, 1_000);
    assert!(bytes < BOUND, "the first rows took {bytes} bytes");

    let (rows, bytes) = read(&suite, &whole, Limit::Drawn(1_000));
    assert_eq!(rows, 1_000);
    // The name of every candidate row is remembered as a hash, to detect duplicate names.
    let names = 160 * ROWS as u64;
    assert!(
        bytes < BOUND + names,
        "rows drawn from all took {bytes} bytes"
    );
}

const MEGABYTE: u64 = 1 << 20;

/// Allocates this many megabytes while `work` runs.
fn holding<T>(megabytes: u64, work: impl FnOnce() -> T) -> T {
    let held = black_box(vec![1_u8; (megabytes * MEGABYTE) as usize]);
    let result = work();
    drop(held);
    result
}

#[test]
fn a_nested_peak_counts_in_the_outer_one_unless_it_is_separated() {
    let _alone = alone();
    let before = allocated();
    // Rounded, since other threads of the tests sometimes free a little memory.
    let megabytes = |bytes: u64| (bytes + MEGABYTE / 2).saturating_sub(before) / MEGABYTE;
    let (inner, outer) = peak_of(|| {
        holding(10, || {
            let ((), first) = peak_of(|| holding(30, || ()));
            apart(|| holding(90, || ()));
            let ((), second) = peak_of(|| holding(5, || ()));
            [allocated(), first, second].map(megabytes)
        })
    });
    assert_eq!(inner, [10, 40, 15]);
    assert_eq!(megabytes(outer), 40);
    let ((), after) = peak_of(|| ());
    assert_eq!(megabytes(after), 0);
}

/// The peak and its parts in three steps on a batch of this number of examples with 64 tokens.
fn parts(backbone: &Backbone, method: Method, examples: usize) -> (PeakParts, u64) {
    parts_of_saving(backbone, method, examples, StepMemory::default())
}

/// [`parts`] of steps that save memory.
fn parts_of_saving(
    backbone: &Backbone,
    method: Method,
    examples: usize,
    saving: StepMemory,
) -> (PeakParts, u64) {
    let recipe = Recipe {
        memory: saving,
        ..Recipe::default_for(Defaults::Nano, method)
    };
    let [inputs, targets] = [64, 8].map(|width| tokens(&vec![width; examples]));
    let (trainer, tensors) = trained(backbone, &recipe, &Batch { inputs, targets }, 3);
    let peak = trainer.peak().expect("three steps");
    (peak.parts(&tensors), peak.bytes)
}

/// Rows of these lengths, of tokens that every network has.
fn tokens(lengths: &[usize]) -> Tokens {
    let width = lengths.iter().copied().max().unwrap_or(0);
    Tokens {
        soft: Vec::new(),
        ids: (0..(lengths.len() * width) as u32)
            .map(|i| 2 + i % 500)
            .collect(),
        lengths: lengths.to_vec(),
        width,
    }
}

/// A trainer after this many steps on a batch, and the sizes of its tensors.
fn trained(
    backbone: &Backbone,
    recipe: &Recipe,
    batch: &Batch,
    steps: usize,
) -> (Trainer, TensorBytes) {
    let tuned = tuning::apply(backbone, recipe, &MethodInputs::default(), 0).expect("a recipe");
    let course = Course {
        learning_rate: 1e-3,
        schedule: recipe.schedule,
        steps,
    };
    let optimiser = optimizer(&recipe.optimizer);
    let mut trainer =
        Trainer::new(tuned, optimiser, course, recipe.objective.clone(), 0).saving(recipe.memory);
    for _ in 0..steps {
        trainer.step(batch).expect("a finite loss");
    }
    let tensors = TensorBytes::of(trainer.tuned(), &recipe.optimizer);
    (trainer, tensors)
}

/// The bytes of gradients that exist at the moment of the peak.
fn of_moment(parts: &PeakParts, all: u64) -> u64 {
    match parts.moment {
        Moment::Forward | Moment::Validation => 0,
        Moment::Backward | Moment::Update => all,
    }
}

#[test]
fn the_parts_of_a_peak_agree_with_a_calculation_by_hand() {
    let _alone = alone();
    let backbone = BackboneChoice::Nano.load(&Device::flex()).expect("bundled");
    let weights = 4 * backbone.config.parameters() as u64;
    let recipe = Recipe::default_for(Defaults::Nano, Method::Prompt);
    let length = recipe.prompt.expect("a prompt").length;
    let prompt = 4 * (length * backbone.config.width()) as u64;

    // The first product allocates buffers that are kept; they are not part of a step.
    parts(&backbone, Method::Prompt, 1);
    let (tuned, peak) = parts(&backbone, Method::Prompt, 8);
    println!("prompt tuning, {peak}: {tuned:?}");
    assert_eq!(tuned.weights, weights + prompt);
    assert_eq!(tuned.gradients, of_moment(&tuned, prompt));
    assert_eq!(tuned.optimizer_state, prompt, "a full second moment");
    let left_over = tuned.left_over(peak);
    let whole = tuned.weights + tuned.gradients + tuned.optimizer_state + tuned.activations;
    assert_eq!(whole + left_over, peak);

    let (twice, _) = parts(&backbone, Method::Prompt, 16);
    println!("prompt tuning, twice the batch: {twice:?}");
    let growth = twice.activations as f64 / tuned.activations as f64;
    assert!(
        (1.9..2.1).contains(&growth),
        "activations grew {growth} times"
    );
    assert_eq!(twice.weights, tuned.weights);
    // The moment of the peak may depend on the batch.
    assert_eq!(twice.gradients, of_moment(&twice, prompt));

    let (model, peak) = parts(&backbone, Method::Model, 8);
    println!("model tuning, {peak}: {model:?}");
    assert_eq!(model.weights, weights);
    assert_eq!(model.gradients, of_moment(&model, weights));
    assert!(
        model.optimizer_state < weights / 10,
        "rows and columns alone"
    );
    // The backbone that the next run would start from.
    let more = model.left_over(peak) - left_over;
    assert!(more.abs_diff(weights) < MEGABYTE, "left over: {more} more");
}

/// The backbone saves nothing for a backward pass except the states between its blocks, whereas LoRA saves the input
/// of every map, norm and attention. In `reports/bench` that is 23 MB of activations compared with 43.
#[test]
fn ladder_side_tuning_peaks_lower_than_lora() {
    let _alone = alone();
    let backbone = BackboneChoice::Nano.load(&Device::flex()).expect("bundled");
    // The first product allocates buffers that are kept; they are not part of a step.
    parts(&backbone, Method::Prompt, 1);
    let [(ladder, ladder_peak), (lora, lora_peak)] =
        [Method::Ladder, Method::Lora].map(|method| parts(&backbone, method, 16));
    println!("ladder side tuning, {ladder_peak}: {ladder:?}");
    println!("LoRA, {lora_peak}: {lora:?}");
    assert!(
        ladder_peak < lora_peak,
        "{ladder_peak} for LoRA's {lora_peak}"
    );
    let share = ladder.activations as f64 / lora.activations as f64;
    assert!(share < 0.7, "{share} of LoRA's activations");
    // This is not because of fewer parameters: the side network, a quarter as wide as the backbone, has more than
    // LoRA's products.
    assert!(ladder.weights > lora.weights);
}

/// The miniature's shape with many blocks and random weights: with its own three, one block is a third of all.
fn deep() -> Backbone {
    t5(|config| T5Config {
        num_layers: 12,
        num_decoder_layers: Some(12),
        ..config
    })
}

/// The miniature with another shape and random weights.
fn t5(shape: impl FnOnce(T5Config) -> T5Config) -> Backbone {
    let nano = BackboneChoice::Nano.load(&Device::flex()).expect("bundled");
    let Config::T5(config) = nano.config else {
        panic!("the miniature is a T5");
    };
    let config = shape(config);
    let weights = initialise(&config, Initialisation::Published, 0);
    let model = T5::load(&config, weights, &Device::flex()).expect("its own weights");
    Backbone {
        config: Config::T5(config),
        model: Network::from(model),
        ..nano
    }
}

#[test]
fn a_replica_on_the_models_own_device_shares_its_weights() {
    let _alone = alone();
    let device = Device::flex();
    let backbone = deep();
    for method in [Method::Prompt, Method::Model] {
        let recipe = Recipe::default_for(Defaults::Nano, method);
        let tuned = tuning::apply(&backbone, &recipe, &MethodInputs::default(), 0);
        let tuned = tuned.expect("a recipe");
        let before = allocated();
        let replica = tuned.replica(&device);
        let (more, weights) = (allocated() - before, tuned.weight_bytes());
        println!("{}: {more} bytes besides {weights}", method.name());
        assert!(
            more < weights / 10,
            "{}: {more} of {weights}",
            method.name()
        );
        drop(replica);
    }
}

/// What is left of the activations: of 16 examples those of 4; of all blocks their inputs, and one block's.
#[test]
fn micro_batches_and_checkpointing_take_a_part_of_the_activations() {
    let _alone = alone();
    let backbone = deep();
    // The first product reserves buffers that stay; they are no part of a step.
    parts(&backbone, Method::Prompt, 1);
    let micro = StepMemory {
        micro_batch: Some(4),
        ..StepMemory::default()
    };
    let blocks = StepMemory {
        gradient_checkpointing: GradientCheckpointing::Blocks,
        ..StepMemory::default()
    };
    let both = StepMemory {
        micro_batch: Some(4),
        ..blocks
    };
    for method in [Method::Prompt, Method::Lora, Method::Model] {
        let activations = |saving| parts_of_saving(&backbone, method, 16, saving).0.activations;
        let all = activations(StepMemory::default());
        let shares = [micro, blocks, both].map(|saving| activations(saving) as f64 / all as f64);
        println!("{}: {all} bytes, {shares:?} of them", method.name());
        let [micro, blocks, both] = shares;
        assert!(micro < 0.4, "{micro} of the activations");
        assert!(blocks < 0.4, "{blocks} of the activations");
        // With micro-batches the gradients so far are there beside a part's own, which model tuning has many of.
        assert!(both < 0.7 * micro, "{both} of the activations");
    }
}

/// The paper's second largest model with 8 examples of 512 tokens. It takes minutes, and 12 GB until the weights are
/// rounded.
#[test]
#[ignore = "takes minutes and 12 GB of memory"]
fn a_step_of_prompt_tuning_t5_xl_fits_into_20_gib() {
    let _alone = alone();
    let backbone = t5(|config| T5Config {
        vocab_size: 32_128,
        d_model: 2048,
        d_kv: 64,
        d_ff: 5120,
        num_heads: 32,
        num_layers: 24,
        num_decoder_layers: Some(24),
        ..config
    });
    let parameters = backbone.config.parameters() as u64;
    let backbone = backbone.with_frozen_weights(FrozenWeights::Bf16);
    let recipe = Recipe {
        memory: StepMemory {
            gradient_checkpointing: GradientCheckpointing::Blocks,
            ..StepMemory::default()
        },
        ..Recipe::default_for(Defaults::T5, Method::Prompt)
    };
    let batch = Batch {
        inputs: tokens(&[512; 8]),
        targets: tokens(&[8; 8]),
    };
    let started = Instant::now();
    let (trainer, tensors) = trained(&backbone, &recipe, &batch, 1);
    let peak = trainer.peak().expect("a step");
    let seconds = started.elapsed().as_secs();
    println!("{parameters} parameters, {} bytes, {seconds} s", peak.bytes);
    println!("{:?}", peak.parts(&tensors));
    let step = PlannedStep {
        tuned: trainer.tuned(),
        config: &backbone.config,
        recipe: &recipe,
        batch: &batch,
    };
    println!(
        "estimated {:?}",
        step.bytes(recipe.memory, Arithmetic::Fused)
    );
    assert!(
        tensors.weights < 21 * parameters / 10,
        "2 bytes a parameter"
    );
    assert!(peak.bytes < 20 << 30, "{} bytes", peak.bytes);
}

/// A checkpoint of `tests/golden` with other sizes, and with random weights.
fn resized(name: &str, sizes: &[(usize, usize)], keys: &[(&str, usize)]) -> Backbone {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/golden")
        .join(name);
    let small = BackboneChoice::Folder(folder.clone())
        .load(&Device::flex())
        .expect("a checkpoint");
    let file = fs::read(folder.join("model.safetensors")).expect("weights");
    let (header, _) =
        file[8..].split_at(u64::from_le_bytes(file[..8].try_into().expect("eight bytes")) as usize);
    let header: serde_json::Value = serde_json::from_slice(header).expect("a header");
    let mut weights = Weights::empty(name);
    for (name, tensor) in header.as_object().expect("tensors") {
        let Some(shape) = tensor.get("shape").and_then(serde_json::Value::as_array) else {
            continue;
        };
        let size = |size: &serde_json::Value| {
            let own = size.as_u64().expect("a size") as usize;
            let other = sizes.iter().find(|(from, _)| *from == own);
            other.map_or(own, |(_, to)| *to)
        };
        let shape: Vec<usize> = shape.iter().map(size).collect();
        let values =
            (0..shape.iter().product()).map(|i: usize| ((i * 37 % 101) as f32 - 50.0) * 1e-3);
        weights.put(name, shape, values.collect());
    }
    let config = fs::read(folder.join("config.json")).expect("a configuration");
    let mut config: serde_json::Value = serde_json::from_slice(&config).expect("JSON");
    for (key, value) in keys {
        config[key] = (*value).into();
    }
    let config = Config::parse(config.to_string().as_bytes(), name).expect("a configuration");
    let model = match &config {
        Config::Bert(config) => {
            Network::from(Bert::load(config, weights, &Device::flex()).expect("its own weights"))
        }
        Config::DecoderOnly(config) => Network::from(
            DecoderOnly::load(config, weights, &Device::flex()).expect("its own weights"),
        ),
        Config::T5(_) => panic!("a T5 has an initialisation"),
    };
    Backbone {
        config,
        model,
        ..small
    }
}

/// Lengths of inputs and of targets.
type Lengths = (Vec<usize>, Vec<usize>);

/// The estimate of a step's memory and what the allocator counts, both without copies of the weights and without
/// the optimiser's state.
fn estimated_and_measured(backbone: &Backbone, recipe: &Recipe, lengths: &Lengths) -> [u64; 2] {
    let (inputs, targets) = lengths;
    let mut batch = Batch {
        inputs: tokens(inputs),
        targets: tokens(targets),
    };
    if recipe.head.is_some() {
        batch.targets.ids.fill(1);
    }
    let (trainer, tensors) = trained(backbone, recipe, &batch, 3);
    let measured = trainer.peak().expect("three steps").parts(&tensors);
    let step = PlannedStep {
        tuned: trainer.tuned(),
        config: &backbone.config,
        recipe,
        batch: &batch,
    };
    let estimated = step.bytes(recipe.memory, Arithmetic::Fused);
    println!("  estimated {estimated:?}\n  measured {measured:?}");
    assert_eq!(estimated.weights, measured.weights);
    // The first step, which may be the highest, has no state yet; the rest of it is that of any other.
    [
        estimated.total() - estimated.copies - estimated.optimizer_state,
        measured.weights + measured.gradients + measured.activations,
    ]
}

/// Six networks, each with the lengths of a batch and with the head and the defaults that it needs.
fn networks() -> Vec<(&'static str, Backbone, Lengths, Option<HeadForm>, Defaults)> {
    let nano = BackboneChoice::Nano.load(&Device::flex()).expect("bundled");
    let wide = t5(|config| T5Config {
        d_model: 256,
        d_kv: 64,
        num_heads: 4,
        d_ff: 640,
        num_layers: 2,
        num_decoder_layers: Some(2),
        ..config
    });
    let bert = resized(
        "bert_tiny",
        &[(32, 128), (48, 512), (101, 1000)],
        &[
            ("hidden_size", 128),
            ("intermediate_size", 512),
            ("max_position_embeddings", 512),
            ("vocab_size", 1000),
        ],
    );
    let llama = resized(
        "llama_tiny",
        &[(32, 128), (16, 64), (64, 320), (272, 1500)],
        &[
            ("hidden_size", 128),
            ("head_dim", 32),
            ("intermediate_size", 320),
            ("vocab_size", 1500),
        ],
    );
    let gemma = resized(
        "gemma2_tiny",
        &[(32, 128), (24, 96), (12, 48), (40, 320), (272, 1500)],
        &[
            ("hidden_size", 128),
            ("head_dim", 48),
            ("intermediate_size", 320),
            ("vocab_size", 1500),
        ],
    );
    let of =
        |input: usize, target: usize, examples| (vec![input; examples], vec![target; examples]);
    let unequal: Vec<usize> = (0..12).map(|example| 60 + 5 * example).collect();
    let classes = Some(HeadForm::Classes(3));
    vec![
        ("the miniature", nano, of(64, 8, 16), None, Defaults::Nano),
        ("deep T5", deep(), of(48, 12, 8), None, Defaults::Nano),
        (
            "wide T5, long inputs",
            wide,
            of(200, 10, 6),
            None,
            Defaults::Nano,
        ),
        (
            "BERT",
            bert,
            (unequal.clone(), vec![1; 12]),
            classes,
            Defaults::Encoder,
        ),
        (
            "Llama",
            llama,
            (unequal.clone(), vec![6; 12]),
            None,
            Defaults::DecoderOnly,
        ),
        (
            "Gemma 2",
            gemma,
            (unequal, vec![6; 12]),
            None,
            Defaults::DecoderOnly,
        ),
    ]
}

/// The most that estimate and measurement may differ by, as a share of what is measured.
const DIFFERENCE: f64 = 0.15;

#[test]
fn the_estimate_of_a_plan_agrees_with_the_allocator() {
    let _alone = alone();
    let micro = StepMemory {
        micro_batch: Some(3),
        ..StepMemory::default()
    };
    let blocks = StepMemory {
        gradient_checkpointing: GradientCheckpointing::Blocks,
        ..StepMemory::default()
    };
    // The first product of a thread reserves buffers that stay; they are no part of a step.
    promptshift_kernels::reserve_buffers();
    rayon::broadcast(|_| promptshift_kernels::reserve_buffers());
    let mut far = Vec::new();
    for (name, backbone, lengths, head, defaults) in networks() {
        let methods = [Method::Prompt, Method::Lora, Method::Houlsby, Method::Model];
        let methods = methods.map(|method| (method, StepMemory::default(), 0.0));
        let more = [
            (Method::Prompt, blocks, 0.0),
            (Method::Lora, micro, 0.1),
            (Method::Model, blocks, 0.0),
            (Method::Model, micro, 0.0),
            (Method::Model, StepMemory::default(), 0.1),
            (Method::Prefix, StepMemory::default(), 0.0),
            (Method::Ia3, StepMemory::default(), 0.0),
            (Method::Dora, StepMemory::default(), 0.0),
            (Method::Vera, StepMemory::default(), 0.0),
        ];
        for (method, memory, dropout) in methods.into_iter().chain(more) {
            let mut recipe = Recipe {
                memory,
                head,
                ..Recipe::default_for(defaults, method)
            };
            recipe.objective.dropout = dropout;
            println!("{name}, {}, {memory:?}, dropout {dropout}:", method.name());
            let [estimated, measured] = estimated_and_measured(&backbone, &recipe, &lengths);
            let ratio = estimated as f64 / measured as f64;
            println!("  {estimated} estimated, {measured} measured: {ratio:.3}");
            if (ratio - 1.0).abs() > DIFFERENCE {
                far.push(format!(
                    "{name}, {}, {memory:?}, dropout {dropout}: {ratio:.3}",
                    method.name()
                ));
            }
        }
    }
    assert!(far.is_empty(), "estimated / measured: {far:#?}");
}
