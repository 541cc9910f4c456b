//! The BERT encoder: token ids in, one pooled and normalised vector per sequence out.
//!
//! Sequences are packed one after another into a single matrix without padding. The linear layers
//! run over all rows at once; attention runs per sequence, so no token ever sees another text.
//!
//! The layout of the network (post-layer normalisation, absolute positions, exact GELU) is that of
//! Devlin et al. 2018, <https://arxiv.org/abs/1810.04805>; mean pooling over all tokens, the two
//! special ones included, that of Reimers and Gurevych 2019, <https://arxiv.org/abs/1908.10084>.

use serde::Deserialize;

use crate::encoder::{EncoderError, MAX_TOKENS};
use crate::math::{View, gelu, layer_norm, matmul, normalize, softmax};
use crate::weights::Weights;

/// The part of `config.json` that decides the arithmetic.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Config {
    model_type: String,
    hidden_act: String,
    #[serde(default = "absolute")]
    position_embedding_type: String,
    pub hidden_size: usize,
    intermediate_size: usize,
    num_attention_heads: usize,
    num_hidden_layers: usize,
    max_position_embeddings: usize,
    type_vocab_size: usize,
    vocab_size: usize,
    layer_norm_eps: f32,
}

fn absolute() -> String {
    "absolute".into()
}

impl Config {
    /// # Errors
    /// [`EncoderError::Config`] for anything this crate does not compute exactly: another
    /// architecture, activation or kind of position, or fewer positions than [`MAX_TOKENS`].
    pub(crate) fn parse(json: &[u8]) -> Result<Self, EncoderError> {
        let config: Config = serde_json::from_slice(json).map_err(|error| EncoderError::Config(error.to_string()))?;
        let heads = config.num_attention_heads;
        let fault = if config.model_type != "bert" {
            "model_type is not bert"
        } else if config.hidden_act != "gelu" {
            "hidden_act is not gelu"
        } else if config.position_embedding_type != "absolute" {
            "position_embedding_type is not absolute"
        } else if config.max_position_embeddings < MAX_TOKENS {
            "max_position_embeddings is below the 256 tokens this encoder reads"
        } else if heads == 0 || config.hidden_size == 0 || !config.hidden_size.is_multiple_of(heads) {
            "hidden_size is not a positive multiple of num_attention_heads"
        } else {
            return Ok(config);
        };
        Err(EncoderError::Config(fault.into()))
    }
}

struct Linear {
    /// `[inputs, outputs]`, row-major.
    weight: Vec<f32>,
    bias: Vec<f32>,
}

impl Linear {
    fn load(weights: &Weights<'_>, name: &str, inputs: usize, outputs: usize) -> Result<Self, EncoderError> {
        Ok(Linear {
            weight: weights.linear(&format!("{name}.weight"), inputs, outputs)?,
            bias: weights.tensor(&format!("{name}.bias"), &[outputs])?,
        })
    }

    /// Several layers over the same input as one wider layer.
    fn side_by_side(parts: &[Linear]) -> Self {
        let outputs: usize = parts.iter().map(|part| part.bias.len()).sum();
        let inputs = parts.first().map_or(0, |part| part.weight.len() / part.bias.len());
        let mut weight = Vec::with_capacity(inputs * outputs);
        for input in 0..inputs {
            for part in parts {
                let width = part.bias.len();
                weight.extend_from_slice(&part.weight[input * width..][..width]);
            }
        }
        let bias = parts.iter().flat_map(|part| part.bias.clone()).collect();
        Linear { weight, bias }
    }

    /// `out = x W + b`.
    fn apply(&self, x: &[f32], out: &mut [f32]) {
        for row in out.chunks_exact_mut(self.bias.len()) {
            row.copy_from_slice(&self.bias);
        }
        self.product(x, out);
    }

    /// `out = out + x W + b`: a layer with its residual connection.
    fn add_to(&self, x: &[f32], out: &mut [f32]) {
        for row in out.chunks_exact_mut(self.bias.len()) {
            for (value, bias) in row.iter_mut().zip(&self.bias) {
                *value += bias;
            }
        }
        self.product(x, out);
    }

    fn product(&self, x: &[f32], out: &mut [f32]) {
        let outputs = self.bias.len();
        let inputs = self.weight.len() / outputs;
        matmul(
            View::whole(x, x.len() / inputs, inputs),
            View::whole(&self.weight, inputs, outputs),
            out,
            (0, outputs),
            true,
        );
    }
}

struct Norm {
    scale: Vec<f32>,
    shift: Vec<f32>,
    epsilon: f32,
}

impl Norm {
    fn load(weights: &Weights<'_>, name: &str, config: &Config) -> Result<Self, EncoderError> {
        Ok(Norm {
            scale: weights.tensor(&format!("{name}.weight"), &[config.hidden_size])?,
            shift: weights.tensor(&format!("{name}.bias"), &[config.hidden_size])?,
            epsilon: config.layer_norm_eps,
        })
    }

    fn apply(&self, x: &mut [f32]) {
        layer_norm(x, &self.scale, &self.shift, self.epsilon);
    }
}

struct Layer {
    /// Query, key and value, side by side.
    projection: Linear,
    attention: Linear,
    attention_norm: Norm,
    widen: Linear,
    narrow: Linear,
    output_norm: Norm,
}

impl Layer {
    fn load(weights: &Weights<'_>, index: usize, config: &Config) -> Result<Self, EncoderError> {
        let (hidden, wide) = (config.hidden_size, config.intermediate_size);
        let name = |part: &str| format!("encoder.layer.{index}.{part}");
        let linear = |part: &str, inputs, outputs| Linear::load(weights, &name(part), inputs, outputs);
        Ok(Layer {
            projection: Linear::side_by_side(&[
                linear("attention.self.query", hidden, hidden)?,
                linear("attention.self.key", hidden, hidden)?,
                linear("attention.self.value", hidden, hidden)?,
            ]),
            attention: linear("attention.output.dense", hidden, hidden)?,
            attention_norm: Norm::load(weights, &name("attention.output.LayerNorm"), config)?,
            widen: linear("intermediate.dense", hidden, wide)?,
            narrow: linear("output.dense", wide, hidden)?,
            output_norm: Norm::load(weights, &name("output.LayerNorm"), config)?,
        })
    }
}

/// The loaded network.
pub(crate) struct Bert {
    config: Config,
    words: Vec<f32>,
    /// Position embeddings with the embedding of segment 0 added: this crate embeds single texts,
    /// which are segment 0 throughout.
    positions: Vec<f32>,
    embedding_norm: Norm,
    layers: Vec<Layer>,
}

impl Bert {
    /// # Errors
    /// [`EncoderError::Weights`] if a tensor is missing or malformed.
    pub(crate) fn load(config: Config, weights: &Weights<'_>) -> Result<Self, EncoderError> {
        let hidden = config.hidden_size;
        let table = |name: &str, rows| weights.tensor(&format!("embeddings.{name}_embeddings.weight"), &[rows, hidden]);
        let segments = table("token_type", config.type_vocab_size)?;
        let mut positions = table("position", config.max_position_embeddings)?;
        for row in positions.chunks_exact_mut(hidden) {
            for (value, segment) in row.iter_mut().zip(&segments) {
                *value += segment;
            }
        }
        Ok(Bert {
            words: table("word", config.vocab_size)?,
            positions,
            embedding_norm: Norm::load(weights, "embeddings.LayerNorm", &config)?,
            layers: (0..config.num_hidden_layers)
                .map(|index| Layer::load(weights, index, &config))
                .collect::<Result<_, _>>()?,
            config,
        })
    }

    pub(crate) fn dimensions(&self) -> usize {
        self.config.hidden_size
    }

    /// Whether `id` has a row in the table of word embeddings.
    pub(crate) fn knows(&self, id: u32) -> bool {
        usize::try_from(id).is_ok_and(|id| id < self.config.vocab_size)
    }

    /// One vector of length 1 per sequence. Every sequence has 1 to [`MAX_TOKENS`] ids, all of them
    /// [known](Bert::knows).
    pub(crate) fn embed(&self, sequences: &[Vec<u32>]) -> Vec<Vec<f32>> {
        let hidden = self.config.hidden_size;
        let rows: usize = sequences.iter().map(Vec::len).sum();
        let mut x = self.look_up(sequences, rows);
        let mut projected = vec![0.0; rows * 3 * hidden];
        let mut context = vec![0.0; rows * hidden];
        let mut wide = vec![0.0; rows * self.config.intermediate_size];
        let mut scores = vec![0.0; MAX_TOKENS * MAX_TOKENS];
        for layer in &self.layers {
            layer.projection.apply(&x, &mut projected);
            let mut first = 0;
            for sequence in sequences {
                self.attend(&projected, first, sequence.len(), &mut scores, &mut context);
                first += sequence.len();
            }
            layer.attention.add_to(&context, &mut x);
            layer.attention_norm.apply(&mut x);
            layer.widen.apply(&x, &mut wide);
            gelu(&mut wide);
            layer.narrow.add_to(&wide, &mut x);
            layer.output_norm.apply(&mut x);
        }
        pool(&x, hidden, sequences.iter().map(Vec::len))
    }

    fn look_up(&self, sequences: &[Vec<u32>], rows: usize) -> Vec<f32> {
        let hidden = self.config.hidden_size;
        let mut x = Vec::with_capacity(rows * hidden);
        for sequence in sequences {
            for (id, position) in sequence.iter().zip(self.positions.chunks_exact(hidden)) {
                let word = &self.words[*id as usize * hidden..][..hidden];
                x.extend(word.iter().zip(position).map(|(a, b)| a + b));
            }
        }
        self.embedding_norm.apply(&mut x);
        x
    }

    /// Scaled dot-product attention of one sequence of `len` tokens whose rows begin at `first`:
    /// from the query, key and value columns of `projected` into `context`.
    fn attend(&self, projected: &[f32], first: usize, len: usize, scores: &mut [f32], context: &mut [f32]) {
        let hidden = self.config.hidden_size;
        let width = hidden / self.config.num_attention_heads;
        #[expect(clippy::cast_precision_loss, reason = "a head's width is exact in f32")]
        let scale = 1.0 / (width as f32).sqrt();
        let scores = &mut scores[..len * len];
        for head in 0..self.config.num_attention_heads {
            // `part` 0, 1, 2 is query, key, value.
            let view = |part: usize| View {
                data: projected,
                offset: first * 3 * hidden + part * hidden + head * width,
                rows: len,
                columns: width,
                row_stride: 3 * hidden,
                column_stride: 1,
            };
            matmul(view(0), view(1).transposed(), scores, (0, len), false);
            softmax(scores, len, scale);
            let target = (first * hidden + head * width, hidden);
            matmul(View::whole(scores, len, len), view(2), context, target, false);
        }
    }
}

/// The mean of each sequence's rows, scaled to length 1.
fn pool(x: &[f32], hidden: usize, lengths: impl Iterator<Item = usize>) -> Vec<Vec<f32>> {
    let mut rows = x.chunks_exact(hidden);
    lengths
        .map(|length| {
            let mut vector = vec![0.0; hidden];
            for row in rows.by_ref().take(length) {
                for (sum, value) in vector.iter_mut().zip(row) {
                    *sum += value;
                }
            }
            // The sum has the direction of the mean, and only the direction is kept.
            normalize(&mut vector);
            vector
        })
        .collect()
}
