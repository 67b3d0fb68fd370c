//! Gradients of many parameters that one operation leaves behind.
//!
//! candle's operations take three tensors at most, and a ResNet has more. So a token goes from one [`ParameterOp`] to the
//! next and then into the network's own operation: on the way back that operation leaves all gradients in a shared place,
//! and each [`ParameterOp`], whose turn comes after it, hands its own to candle.

use std::sync::{Arc, Mutex};

use candle_core::{CpuStorage, CustomOp2, Layout, Result, Shape, Tensor, Var, WithDType, bail};

use crate::lock::lock;

/// Gradients in the order of the parameters, each until its parameter takes it.
#[derive(Clone, Default)]
pub(crate) struct LeftGradients(Arc<Mutex<Vec<Option<Tensor>>>>);

impl LeftGradients {
    /// The token that has passed all parameters: an input of the operation that will leave their gradients.
    pub fn token<'a>(&self, parameters: impl IntoIterator<Item = &'a Var>, like: &Tensor) -> Result<Tensor> {
        let mut token = Tensor::zeros(1, like.dtype(), like.device())?;
        for (place, parameter) in parameters.into_iter().enumerate() {
            token = token.apply_op2(parameter, ParameterOp { place, left: self.clone() })?;
        }
        Ok(token)
    }

    /// Leaves one gradient for each parameter, in their order.
    pub fn leave(&self, gradients: impl IntoIterator<Item = Tensor>) {
        *lock(&self.0) = gradients.into_iter().map(Some).collect();
    }
}

/// The message of an operation whose tape is gone.
pub(crate) fn second_backward<T>() -> Result<T> {
    bail!(
        "backbone: expected one backward pass for each forward pass, found a second one; what it needs is \
         given back after the first. Call forward again, or ResNet::forward_by_layers, which keeps everything"
    )
}

/// Passes the token on; on the way back, gives a parameter the gradient that was left for it.
struct ParameterOp {
    place: usize,
    left: LeftGradients,
}

impl CustomOp2 for ParameterOp {
    fn name(&self) -> &'static str {
        "left-gradient"
    }

    fn cpu_fwd(
        &self,
        token: &CpuStorage,
        _: &Layout,
        _parameter: &CpuStorage,
        _: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let storage = match token {
            CpuStorage::F64(_) => f64::to_cpu_storage_owned(vec![0.0]),
            _ => f32::to_cpu_storage_owned(vec![0.0]),
        };
        Ok((storage, Shape::from(1)))
    }

    #[cfg(feature = "cuda")]
    fn cuda_fwd(
        &self,
        token: &candle_core::CudaStorage,
        _: &Layout,
        _parameter: &candle_core::CudaStorage,
        _: &Layout,
    ) -> Result<(candle_core::CudaStorage, Shape)> {
        use candle_core::backend::BackendDevice;
        let shape = Shape::from(1);
        // SAFETY: nobody reads a token's value.
        let storage = unsafe { token.device.alloc_uninit(&shape, candle_core::DType::F32)? };
        Ok((storage, shape))
    }

    fn bwd(
        &self,
        token: &Tensor,
        _parameter: &Tensor,
        _result: &Tensor,
        _gradient: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let gradient = lock(&self.left.0).get_mut(self.place).and_then(Option::take);
        Ok((Some(token.zeros_like()?), gradient))
    }
}
