//! Reads named tensors out of a `model.safetensors`, checked against the shapes the configuration
//! calls for.
//!
//! Invariant: what it returns has exactly the asked number of elements and no NaN or infinity, so
//! the arithmetic behind it needs no further checks.

use safetensors::{Dtype, SafeTensors};

use crate::encoder::EncoderError;

/// The tensors of one model file.
pub(crate) struct Weights<'a> {
    tensors: SafeTensors<'a>,
}

impl<'a> Weights<'a> {
    /// # Errors
    /// [`EncoderError::Weights`] if `bytes` is not a safetensors file.
    pub(crate) fn parse(bytes: &'a [u8]) -> Result<Self, EncoderError> {
        let tensors = SafeTensors::deserialize(bytes).map_err(|error| EncoderError::Weights(error.to_string()))?;
        Ok(Weights { tensors })
    }

    /// A tensor of `shape`, as a flat row-major vector.
    ///
    /// # Errors
    /// [`EncoderError::Weights`] if it is missing, has another shape, is not `f32`, or holds a
    /// number that is not finite.
    pub(crate) fn tensor(&self, name: &str, shape: &[usize]) -> Result<Vec<f32>, EncoderError> {
        let fault = |what: String| EncoderError::Weights(format!("tensor {name} {what}"));
        let tensor = self.tensors.tensor(name).map_err(|_| fault("is missing".into()))?;
        if tensor.dtype() != Dtype::F32 {
            return Err(fault(format!("is {:?}, not F32", tensor.dtype())));
        }
        if tensor.shape() != shape {
            let found = tensor.shape();
            return Err(fault(format!("has shape {found:?}, not {shape:?}")));
        }
        let (words, _) = tensor.data().as_chunks::<4>();
        let values: Vec<f32> = words.iter().map(|word| f32::from_le_bytes(*word)).collect();
        if values.iter().all(|value| value.is_finite()) {
            Ok(values)
        } else {
            Err(fault("holds a number that is not finite".into()))
        }
    }

    /// The weight of a linear layer, which the file keeps as `[outputs, inputs]`, turned into
    /// `[inputs, outputs]`: in that order the matrix product reads it without repacking, which
    /// halves its time for a short query.
    ///
    /// # Errors
    /// As [`Weights::tensor`].
    pub(crate) fn linear(&self, name: &str, inputs: usize, outputs: usize) -> Result<Vec<f32>, EncoderError> {
        let stored = self.tensor(name, &[outputs, inputs])?;
        let mut turned = vec![0.0; stored.len()];
        for (output, row) in stored.chunks_exact(inputs).enumerate() {
            for (input, weight) in row.iter().enumerate() {
                turned[input * outputs + output] = *weight;
            }
        }
        Ok(turned)
    }
}
