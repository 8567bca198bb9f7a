//! Random weights: T5's published initialisation, and a mimetic one for miniature models.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::config::T5Config;
use super::position::{Direction, bucket};
use crate::checkpoint::Weights;

/// The initialisation before pre-training.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Initialisation {
    /// As in T5X and Transformers: normal, with a scale for each matrix that depends on its widths.
    Published,
    /// After Trockman & Kolter 2023 ("Mimetic Initialization of Self-Attention Layers", arXiv 2305.09828),
    /// extended to an encoder-decoder: initially, self-attention attends to equal tokens, values pass through
    /// unchanged, cross-attention is an induction head, and the output head reads the copied token. Nothing
    /// is frozen. This saves a small model with minutes of training the time of learning to copy.
    Mimetic,
}

/// Random weights under Hugging Face's names, from a seed.
///
/// # Panics
/// [`Initialisation::Mimetic`] without `H·K = D` or with fewer than two heads.
pub fn initialise(config: &T5Config, initialisation: Initialisation, seed: u64) -> Weights {
    let mut drawn = Drawn {
        rng: ChaCha8Rng::seed_from_u64(seed),
    };
    let mut blocks = drawn.published(config);
    if initialisation == Initialisation::Mimetic {
        drawn.mimetic(config, &mut blocks);
    }
    blocks.weights()
}

/// A dense matrix on the host, row-major, `[out, in]` as in checkpoints.
#[derive(Debug, Clone)]
struct Matrix {
    rows: usize,
    columns: usize,
    values: Vec<f32>,
}

impl Matrix {
    fn filled(rows: usize, columns: usize, value: f32) -> Self {
        Matrix {
            rows,
            columns,
            values: vec![value; rows * columns],
        }
    }

    fn row(&self, r: usize) -> &[f32] {
        &self.values[r * self.columns..(r + 1) * self.columns]
    }

    fn times(&self, other: &Matrix) -> Matrix {
        let mut out = Matrix::filled(self.rows, other.columns, 0.0);
        for r in 0..self.rows {
            for (k, &a) in self.row(r).iter().enumerate() {
                let target = &mut out.values[r * other.columns..(r + 1) * other.columns];
                for (o, &b) in target.iter_mut().zip(other.row(k)) {
                    *o += a * b;
                }
            }
        }
        out
    }

    fn transposed(&self) -> Matrix {
        let mut out = Matrix::filled(self.columns, self.rows, 0.0);
        for r in 0..self.rows {
            for (c, &v) in self.row(r).iter().enumerate() {
                out.values[c * self.rows + r] = v;
            }
        }
        out
    }

    fn scaled(mut self, factor: f32) -> Matrix {
        self.values.iter_mut().for_each(|v| *v *= factor);
        self
    }

    /// Rows `from..from + count`.
    fn rows_from(&self, from: usize, count: usize) -> Matrix {
        let values = self.values[from * self.columns..(from + count) * self.columns].to_vec();
        Matrix {
            rows: count,
            columns: self.columns,
            values,
        }
    }

    fn set_rows(&mut self, from: usize, rows: &Matrix) {
        let start = from * self.columns;
        self.values[start..start + rows.values.len()].copy_from_slice(&rows.values);
    }
}

/// The four matrices of one attention layer, `[out, in]`.
struct AttentionInit {
    q: Matrix,
    k: Matrix,
    v: Matrix,
    o: Matrix,
}

/// One block: its attention layers (self-attention, then the decoder's cross-attention) and the three
/// matrices of the feed-forward.
struct BlockInit {
    attentions: Vec<AttentionInit>,
    feed_forward: [Matrix; 3],
}

struct ModelInit {
    embedding: Matrix,
    head: Matrix,
    encoder_bias: Matrix,
    decoder_bias: Matrix,
    encoder: Vec<BlockInit>,
    decoder: Vec<BlockInit>,
}

/// Draws matrices from one stream of random numbers.
struct Drawn {
    rng: ChaCha8Rng,
}

impl Drawn {
    /// A standard normal number (Box & Muller 1958).
    fn normal(&mut self) -> f64 {
        let u: f64 = 1.0 - self.rng.random::<f64>();
        let v: f64 = self.rng.random();
        (-2.0 * u.ln()).sqrt() * (std::f64::consts::TAU * v).cos()
    }

    fn matrix(&mut self, rows: usize, columns: usize, deviation: f64) -> Matrix {
        let values = (0..rows * columns)
            .map(|_| (self.normal() * deviation) as f32)
            .collect();
        Matrix {
            rows,
            columns,
            values,
        }
    }

    /// A random orthogonal matrix: Gram-Schmidt on normal rows.
    fn orthogonal(&mut self, size: usize) -> Matrix {
        let mut rows: Vec<Vec<f64>> = Vec::with_capacity(size);
        while rows.len() < size {
            let mut row: Vec<f64> = (0..size).map(|_| self.normal()).collect();
            for earlier in &rows {
                let along: f64 = earlier.iter().zip(&row).map(|(a, b)| a * b).sum();
                row.iter_mut()
                    .zip(earlier)
                    .for_each(|(r, e)| *r -= along * e);
            }
            let length = row.iter().map(|v| v * v).sum::<f64>().sqrt();
            // Redraws a row that is almost in the span of the others.
            if length > 1e-6 {
                rows.push(row.into_iter().map(|v| v / length).collect());
            }
        }
        Matrix {
            rows: size,
            columns: size,
            values: rows.into_iter().flatten().map(|v| v as f32).collect(),
        }
    }

    /// T5's own scales (Transformers `T5PreTrainedModel._init_weights`); the factor `1/√K` that attention
    /// lacks is in q's.
    fn published(&mut self, config: &T5Config) -> ModelInit {
        let (d, inner, ff) = (config.d_model, config.inner(), config.d_ff);
        let scale = |width: usize| (width as f64).powf(-0.5);
        let (buckets, heads) = (config.relative_attention_num_buckets, config.num_heads);
        let embedding = self.matrix(config.vocab_size, d, 1.0);
        let head = self.matrix(config.vocab_size, d, scale(d));
        let encoder_bias = self.matrix(buckets, heads, scale(d));
        let decoder_bias = self.matrix(buckets, heads, scale(d));
        let mut block = |attentions: usize| BlockInit {
            attentions: (0..attentions)
                .map(|_| AttentionInit {
                    q: self.matrix(inner, d, scale(d * config.d_kv)),
                    k: self.matrix(inner, d, scale(d)),
                    v: self.matrix(inner, d, scale(d)),
                    o: self.matrix(d, inner, scale(inner)),
                })
                .collect(),
            feed_forward: [
                self.matrix(ff, d, scale(d)),
                self.matrix(ff, d, scale(d)),
                self.matrix(d, ff, scale(ff)),
            ],
        };
        ModelInit {
            encoder: (0..config.num_layers).map(|_| block(1)).collect(),
            decoder: (0..config.decoder_layers()).map(|_| block(2)).collect(),
            embedding,
            head,
            encoder_bias,
            decoder_bias,
        }
    }

    /// See [`Initialisation::Mimetic`].
    fn mimetic(&mut self, config: &T5Config, model: &mut ModelInit) {
        let (d, k) = (config.d_model, config.d_kv);
        assert_eq!(config.inner(), d, "mimetic initialisation needs H·K = D");
        assert!(
            config.num_heads >= 2,
            "mimetic initialisation needs two heads"
        );
        let inverse_root = (k as f32).powf(-0.5);
        // Queries match equal tokens.
        for attention in model.attentions() {
            attention.q = attention.k.clone().scaled(inverse_root);
        }
        // Values pass through the block up to a rotation.
        for block in model.encoder.iter_mut().chain(&mut model.decoder) {
            let (v, r) = (self.orthogonal(d), self.orthogonal(d));
            block.attentions[0].o = r.times(&v.transposed());
            block.attentions[0].v = v;
        }
        // All cross-attention layers share one rotation, which the head undoes, so that the attended token is
        // generated.
        let (v, r) = (self.orthogonal(d), self.orthogonal(d));
        for block in &mut model.decoder {
            block.attentions[1].o = r.times(&v.transposed());
            block.attentions[1].v = v.clone();
        }
        const COPY_STRENGTH: f32 = 0.25;
        model.head = model
            .embedding
            .times(&r.transposed())
            .scaled(COPY_STRENGTH * (d as f32).powf(-0.5));
        // Positional heads: they attend to the previous and the next token in the encoder, and one and two
        // tokens back in the decoder.
        const LOOK: f32 = 5.0;
        let buckets = config.relative_attention_num_buckets;
        let at = |relative, direction| {
            bucket(
                relative,
                direction,
                buckets,
                config.relative_attention_max_distance,
            )
        };
        model.encoder_bias = Matrix::filled(buckets, config.num_heads, 0.0);
        model.decoder_bias = Matrix::filled(buckets, config.num_heads, 0.0);
        let heads = config.num_heads;
        model.encoder_bias.values[at(-1, Direction::Bidirectional) * heads] = LOOK;
        model.encoder_bias.values[at(1, Direction::Bidirectional) * heads + 1] = LOOK;
        model.decoder_bias.values[at(-1, Direction::Causal) * heads] = LOOK;
        model.decoder_bias.values[at(-2, Direction::Causal) * heads + 1] = LOOK;
        // Induction: in two cross-attention heads the key is the code of the previous token, which head 0 of
        // encoder block 0 writes, and the query is the current token's code.
        let written = model.encoder[0].attentions[0]
            .o
            .transposed()
            .rows_from(0, k);
        let read = model.encoder[0].attentions[0].v.rows_from(0, k);
        for block in &mut model.decoder {
            for head in 0..2 {
                let w = self.orthogonal(k).scaled((d as f32 / k as f32).sqrt());
                let cross = &mut block.attentions[1];
                cross.k.set_rows(head * k, &w.times(&written));
                cross
                    .q
                    .set_rows(head * k, &w.times(&read).scaled(inverse_root));
            }
        }
    }
}

impl ModelInit {
    fn attentions(&mut self) -> impl Iterator<Item = &mut AttentionInit> {
        self.encoder
            .iter_mut()
            .chain(&mut self.decoder)
            .flat_map(|block| &mut block.attentions)
    }

    fn weights(self) -> Weights {
        let mut out = Weights::empty("");
        let mut put = |name: String, m: Matrix| out.put(&name, vec![m.rows, m.columns], m.values);
        let d = self.embedding.columns;
        put("shared.weight".to_string(), self.embedding);
        put("lm_head.weight".to_string(), self.head);
        let table = "block.0.layer.0.SelfAttention.relative_attention_bias.weight";
        put(format!("encoder.{table}"), self.encoder_bias);
        put(format!("decoder.{table}"), self.decoder_bias);
        let mut norms = vec![
            "encoder.final_layer_norm".to_string(),
            "decoder.final_layer_norm".to_string(),
        ];
        for (stack, blocks) in [("encoder", self.encoder), ("decoder", self.decoder)] {
            for (i, block) in blocks.into_iter().enumerate() {
                let name = format!("{stack}.block.{i}.layer");
                let attentions = block.attentions.len();
                let kinds = ["SelfAttention", "EncDecAttention"];
                for (layer, attention) in block.attentions.into_iter().enumerate() {
                    let name = format!("{name}.{layer}.{}", kinds[layer]);
                    put(format!("{name}.q.weight"), attention.q);
                    put(format!("{name}.k.weight"), attention.k);
                    put(format!("{name}.v.weight"), attention.v);
                    put(format!("{name}.o.weight"), attention.o);
                }
                let [gate, up, down] = block.feed_forward;
                let feed_forward = format!("{name}.{attentions}.DenseReluDense");
                put(format!("{feed_forward}.wi_0.weight"), gate);
                put(format!("{feed_forward}.wi_1.weight"), up);
                put(format!("{feed_forward}.wo.weight"), down);
                norms.extend((0..=attentions).map(|layer| format!("{name}.{layer}.layer_norm")));
            }
        }
        for norm in norms {
            out.put(&format!("{norm}.weight"), vec![d], vec![1.0; d]);
        }
        out
    }
}
