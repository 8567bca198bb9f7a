//! What the paper's experiments cost on a GPU, estimated from its speed: the tables of docs/costs.md.
//!
//! ```sh
//! cargo run -p promptshift-numbers --example costs
//! cargo run -p promptshift-numbers --example costs -- --tflops 989 --utilisation 0.3 --dollars 3
//! cargo run -p promptshift-numbers --example costs -- --measured xl:prompt:9000
//! ```
//!
//! `--measured SIZE:METHOD:TOKENS` gives the measured input and target tokens per second of a training of that size
//! and method (`prompt` or `model`); all other trainings are assumed to compute as many operations per second.

/// A published size of T5 v1.1.
#[derive(Debug, Clone, Copy)]
struct Size {
    name: &'static str,
    width: f64,
    /// Layers of the encoder, and as many of the decoder.
    layers: f64,
    heads: f64,
    feed_forward: f64,
}

const SIZES: [Size; 5] = [
    size("small", [512.0, 8.0, 6.0, 1_024.0]),
    size("base", [768.0, 12.0, 12.0, 2_048.0]),
    size("large", [1_024.0, 24.0, 16.0, 2_816.0]),
    size("xl", [2_048.0, 24.0, 32.0, 5_120.0]),
    size("xxl", [4_096.0, 24.0, 64.0, 10_240.0]),
];

const fn size(name: &'static str, [width, layers, heads, feed_forward]: [f64; 4]) -> Size {
    Size {
        name,
        width,
        layers,
        heads,
        feed_forward,
    }
}

const VOCABULARY: f64 = 32_128.0;
/// The width of every head.
const HEAD: f64 = 64.0;

impl Size {
    /// Weights that an input token is multiplied with: the encoder's, and those of the decoder's cross-attention keys
    /// and values.
    fn per_input(&self) -> f64 {
        let attention = self.width * self.heads * HEAD;
        self.layers * (4.0 * attention + 3.0 * self.width * self.feed_forward + 2.0 * attention)
    }

    /// Weights that a target token is multiplied with: the decoder's other weights and the output layer's.
    fn per_target(&self) -> f64 {
        let attention = self.width * self.heads * HEAD;
        self.layers * (6.0 * attention + 3.0 * self.width * self.feed_forward)
            + self.width * VOCABULARY
    }
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Method {
    Prompt,
    Model,
}

impl Method {
    /// Operations of a step per weight and token: two in the forward pass, two in the backward pass for states, and
    /// two for the weights if they are trained.
    fn passes(self) -> f64 {
        match self {
            Method::Prompt => 2.0,
            Method::Model => 3.0,
        }
    }

    /// Prompt vectors per input.
    fn prompt(self) -> f64 {
        match self {
            Method::Prompt => 100.0,
            Method::Model => 0.0,
        }
    }
}

const METHODS: [Method; 2] = [Method::Prompt, Method::Model];

const STEPS: f64 = 30_000.0;
const BATCH: f64 = 32.0;
/// Every input has the maximum length.
const INPUT: f64 = 512.0;
const TARGET: f64 = 16.0;
const SEEDS: f64 = 3.0;
/// Validations of a training: at the start and every 1,000 steps.
const VALIDATIONS: f64 = 31.0;
/// Rows of each validation.
const VALIDATION_ROWS: f64 = 500.0;

/// Rows of SuperGLUE's eight validation sets: BoolQ, CB, COPA, MultiRC, ReCoRD, RTE, WiC, WSC.
const SUPERGLUE: [f64; 8] = [3_270.0, 56.0, 100.0, 4_848.0, 10_000.0, 277.0, 638.0, 104.0];
/// SQuAD's validation rows, and those of TextbookQA, BioASQ, RACE, RelationExtraction, DuoRC and DROP.
const SQUAD: f64 = 10_570.0;
const SQUAD_TARGETS: [f64; 6] = [1_503.0, 1_504.0, 674.0, 2_948.0, 1_501.0, 1_503.0];
/// QQP's and MRPC's validation rows.
const PARAPHRASES: [f64; 2] = [40_430.0, 408.0];

/// Operations for answering so many rows.
fn answering(size: &Size, method: Method, rows: f64) -> f64 {
    let input = (INPUT + method.prompt()) * size.per_input();
    2.0 * rows * (input + TARGET * size.per_target())
}

/// Operations of the steps of one training.
fn steps(size: &Size, method: Method) -> f64 {
    let input = (INPUT + method.prompt()) * size.per_input();
    2.0 * method.passes() * STEPS * BATCH * (input + TARGET * size.per_target())
}

/// Operations of one training with its validations.
fn training(size: &Size, method: Method) -> f64 {
    steps(size, method) + answering(size, method, VALIDATIONS * VALIDATION_ROWS)
}

/// Operations summed over methods and seeds.
fn over_runs(of: impl Fn(Method) -> f64) -> f64 {
    METHODS.into_iter().map(|method| SEEDS * of(method)).sum()
}

/// The grid of one size: eight tasks, each trained and answered.
fn grid(size: &Size) -> f64 {
    over_runs(|method| {
        let tasks = SUPERGLUE.iter();
        tasks
            .map(|rows| training(size, method) + answering(size, method, *rows))
            .sum()
    })
}

/// Whether trainings on a source are shared between its targets, as in the store, or repeated for each target.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Evaluations {
    Shared,
    Apart,
}

/// The shifts of one size: SQuAD to six targets, QQP to MRPC and back.
fn shifts(size: &Size, evaluations: Evaluations) -> f64 {
    over_runs(|method| {
        let source = |rows| training(size, method) + answering(size, method, rows);
        let times = match evaluations {
            Evaluations::Shared => 1.0,
            Evaluations::Apart => SQUAD_TARGETS.len() as f64,
        };
        let targets = answering(size, method, SQUAD_TARGETS.iter().sum());
        let [qqp, mrpc] = PARAPHRASES;
        let back_and_forth = source(qqp) + source(mrpc) + answering(size, method, qqp + mrpc);
        times * source(SQUAD) + targets + back_and_forth
    })
}

/// A card's speed and price.
#[derive(Debug, Clone, Copy)]
struct Card {
    /// Operations per second.
    rate: f64,
    dollars_an_hour: f64,
}

impl Card {
    fn hours(&self, operations: f64) -> f64 {
        operations / self.rate / 3_600.0
    }

    /// `1,234 h, $2,468`.
    fn cost(&self, operations: f64) -> String {
        let hours = self.hours(operations);
        let dollars = hours * self.dollars_an_hour;
        let dollars = match dollars < 9.995 {
            true => format!("{dollars:.2}"),
            false => whole(dollars),
        };
        match hours < 9.95 {
            true => format!("{hours:.1} h, ${dollars}"),
            false => format!("{} h, ${dollars}", whole(hours)),
        }
    }

    /// Input and target tokens per second in training steps.
    fn tokens_per_second(&self, size: &Size, method: Method) -> f64 {
        self.rate * STEPS * BATCH * (INPUT + TARGET) / steps(size, method)
    }
}

/// A whole number with thousands separators.
fn whole(number: f64) -> String {
    let digits = format!("{number:.0}");
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// The tables of docs/costs.md.
fn tables(card: &Card) -> String {
    let mut text = "| size | tokens/s, prompt | tokens/s, model | one training, prompt | one training, model |\n\
                    | --- | ---: | ---: | ---: | ---: |\n"
        .to_owned();
    for size in &SIZES {
        let [prompt, model] = METHODS.map(|method| {
            let rate = whole(card.tokens_per_second(size, method));
            (rate, card.cost(training(size, method)))
        });
        text += &format!(
            "| {} | {} | {} | {} | {} |\n",
            size.name, prompt.0, model.0, prompt.1, model.1
        );
    }
    text += "\n| size | SuperGLUE, 48 trainings | shifts, shared | shifts, not shared |\n\
             | --- | ---: | ---: | ---: |\n";
    let mut totals = [0.0; 3];
    for size in &SIZES {
        let columns = [
            grid(size),
            shifts(size, Evaluations::Shared),
            shifts(size, Evaluations::Apart),
        ];
        let [one, two, three] = columns.map(|operations| card.cost(operations));
        text += &format!("| {} | {one} | {two} | {three} |\n", size.name);
        for (total, column) in totals.iter_mut().zip(columns) {
            *total += column;
        }
    }
    let [one, two, three] = totals.map(|operations| card.cost(operations));
    text + &format!("| all | {one} | {two} | {three} |\n")
}

/// The operations per second of a GPU with a measured number of tokens per second: `xl:prompt:9000`.
fn measured(text: &str) -> Option<f64> {
    let mut parts = text.split(':');
    let (name, method, tokens) = (parts.next()?, parts.next()?, parts.next()?);
    let size = SIZES.iter().find(|size| size.name == name)?;
    let method = match method {
        "prompt" => Method::Prompt,
        "model" => Method::Model,
        _ => return None,
    };
    let unit = Card {
        rate: 1.0,
        dollars_an_hour: 0.0,
    };
    let tokens: f64 = tokens.parse().ok().filter(|tokens| *tokens > 0.0)?;
    Some(tokens / unit.tokens_per_second(size, method))
}

/// The GPU described by the command line; the default is an A100 in bfloat16 at 0.4 of its peak, for two dollars an
/// hour.
fn card(words: &[String]) -> Result<Card, String> {
    let (mut tflops, mut utilisation, mut dollars_an_hour) = (312.0, 0.4, 2.0);
    let mut known = None;
    for pair in words.chunks(2) {
        let [flag, value] = pair else {
            return Err(format!("{}: wanted a value, found none", pair[0]));
        };
        let number = || {
            let number = value.parse().ok().filter(|number: &f64| *number > 0.0);
            number.ok_or_else(|| format!("{flag}: wanted a number above 0, found '{value}'"))
        };
        match flag.as_str() {
            "--tflops" => tflops = number()?,
            "--utilisation" => utilisation = number()?,
            "--dollars" => dollars_an_hour = number()?,
            "--measured" => {
                known = Some(measured(value).ok_or_else(|| {
                    format!("{flag}: wanted SIZE:METHOD:TOKENS as xl:prompt:9000, found '{value}'")
                })?);
            }
            _ => {
                let wanted = "--tflops, --utilisation, --dollars or --measured";
                return Err(format!("wanted {wanted}, found '{flag}'"));
            }
        }
    }
    Ok(Card {
        rate: known.unwrap_or(tflops * 1e12 * utilisation),
        dollars_an_hour,
    })
}

fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    match card(&words) {
        Ok(card) => print!("{}", tables(&card)),
        Err(error) => {
            eprintln!("error: {error}");
            std::process::exit(2);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_weights_are_those_of_the_published_models() {
        // All parameters except the embedding, which is looked up, and norms and position biases, which are not
        // multiplied.
        let parameters = [
            76_961_152.0,
            247_577_856.0,
            783_150_080.0,
            2_849_757_184.0,
            11_135_332_352.0,
        ];
        for (size, all) in SIZES.iter().zip(parameters) {
            let norms = size.width * (5.0 * size.layers + 2.0);
            let biases = 2.0 * 32.0 * size.heads;
            let embedding = size.width * VOCABULARY;
            let multiplied = size.per_input() + size.per_target();
            assert_eq!(
                multiplied + embedding + norms + biases,
                all,
                "{}",
                size.name
            );
        }
    }

    #[test]
    fn a_training_by_hand() {
        // XXL, prompt tuning: 30,000 steps of 32 inputs with 612 vectors and 16 target tokens, 4 operations per
        // weight.
        let [.., xxl] = SIZES;
        let encoder = 24.0 * (6.0 * 4_096.0 * 4_096.0 + 3.0 * 4_096.0 * 10_240.0);
        let decoder = encoder + 4_096.0 * 32_128.0;
        let wanted = 4.0 * 960_000.0 * (612.0 * encoder + 16.0 * decoder);
        assert_eq!(steps(&xxl, Method::Prompt), wanted);
        // Model tuning has no prompt and trains the weights: 6 operations.
        let wanted = 6.0 * 960_000.0 * (512.0 * encoder + 16.0 * decoder);
        assert_eq!(steps(&xxl, Method::Model), wanted);
    }

    #[test]
    fn sharing_saves_all_trainings_on_a_source_but_one() {
        let [small, ..] = SIZES;
        let saved = shifts(&small, Evaluations::Apart) - shifts(&small, Evaluations::Shared);
        let once = |method| training(&small, method) + answering(&small, method, SQUAD);
        let wanted = 5.0 * 3.0 * (once(Method::Prompt) + once(Method::Model));
        assert!((saved / wanted - 1.0).abs() < 1e-12);
    }

    #[test]
    fn a_measured_speed_is_reproduced() {
        let words = ["--measured", "xl:prompt:9000"].map(str::to_owned);
        let card = card(&words).expect("a card");
        let rate = card.tokens_per_second(&SIZES[3], Method::Prompt);
        assert!((rate - 9_000.0).abs() < 1e-6, "{rate}");
        for wrong in ["xl:prompt", "xl:lora:9", "huge:prompt:9", "xl:prompt:0"] {
            assert_eq!(measured(wrong), None, "{wrong}");
        }
        assert_eq!(whole(1_234_567.4), "1,234,567");
        assert_eq!(whole(999.6), "1,000");
    }

    #[test]
    fn the_document_has_the_tables() {
        let page = include_str!("../../../docs/costs.md");
        let card = card(&[]).expect("the default");
        for line in tables(&card).lines() {
            assert!(page.contains(line), "docs/costs.md lacks: {line}");
        }
    }
}
