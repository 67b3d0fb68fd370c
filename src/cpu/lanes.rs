//! Vector instructions over f32 and f64, so that a kernel is written once for all processors.
//!
//! The crate `pulp` picks AVX-512, AVX2 or NEON at run time; [`Lanes`] lets one generic function serve both element types.

use pulp::{Arch, Simd, WithSimd};

/// An element type whose values a processor handles several at a time.
pub trait Lanes: Copy + Default + Send + Sync + 'static {
    /// As many values as fit one register.
    type Vector<S: Simd>: Copy;

    /// How many that are.
    fn lanes<S: Simd>() -> usize;
    /// The same value in every lane.
    fn splat<S: Simd>(simd: S, value: Self) -> Self::Vector<S>;
    /// `a + b`
    fn sum<S: Simd>(simd: S, a: Self::Vector<S>, b: Self::Vector<S>) -> Self::Vector<S>;
    /// `a - b`
    fn difference<S: Simd>(simd: S, a: Self::Vector<S>, b: Self::Vector<S>) -> Self::Vector<S>;
    /// The larger of `a` and 0; NaN stays NaN.
    fn positive_part<S: Simd>(simd: S, a: Self::Vector<S>) -> Self::Vector<S>;
    /// `a · b`
    fn product<S: Simd>(simd: S, a: Self::Vector<S>, b: Self::Vector<S>) -> Self::Vector<S>;
    /// `b` where `a` is positive, else 0.
    fn where_positive<S: Simd>(simd: S, a: Self::Vector<S>, b: Self::Vector<S>) -> Self::Vector<S>;
    /// `a · b + c`, rounded once where the processor can.
    fn multiply_add<S: Simd>(
        simd: S,
        a: Self::Vector<S>,
        b: Self::Vector<S>,
        c: Self::Vector<S>,
    ) -> Self::Vector<S>;

    /// The first values of a slice.
    ///
    /// Panics if the slice is shorter than a register.
    #[inline(always)]
    fn load<S: Simd>(_: S, from: &[Self]) -> Self::Vector<S> {
        assert!(from.len() >= Self::lanes::<S>());
        // SAFETY: a register's worth of values is there, and any bits are a value.
        unsafe { from.as_ptr().cast::<Self::Vector<S>>().read_unaligned() }
    }

    /// Writes to the beginning of a slice.
    ///
    /// Panics if the slice is shorter than a register.
    #[inline(always)]
    fn store<S: Simd>(_: S, vector: Self::Vector<S>, to: &mut [Self]) {
        assert!(to.len() >= Self::lanes::<S>());
        // SAFETY: there is room for a register's worth of values.
        unsafe { to.as_mut_ptr().cast::<Self::Vector<S>>().write_unaligned(vector) }
    }
}

macro_rules! lanes {
    ($element:ty: $vector:ident, $lanes:ident, $splat:ident, $less:ident, $select:ident, $multiply_add:ident,
     $($method:ident = $instruction:ident),*) => {
        impl Lanes for $element {
            type Vector<S: Simd> = S::$vector;

            #[inline(always)]
            fn lanes<S: Simd>() -> usize {
                S::$lanes
            }

            #[inline(always)]
            fn splat<S: Simd>(simd: S, value: Self) -> Self::Vector<S> {
                simd.$splat(value)
            }

            $(#[inline(always)]
            fn $method<S: Simd>(simd: S, a: Self::Vector<S>, b: Self::Vector<S>) -> Self::Vector<S> {
                simd.$instruction(a, b)
            })*

            #[inline(always)]
            fn positive_part<S: Simd>(simd: S, a: Self::Vector<S>) -> Self::Vector<S> {
                let zero = simd.$splat(0.0);
                simd.$select(simd.$less(a, zero), zero, a)
            }

            #[inline(always)]
            fn where_positive<S: Simd>(simd: S, a: Self::Vector<S>, b: Self::Vector<S>) -> Self::Vector<S> {
                let zero = simd.$splat(0.0);
                simd.$select(simd.$less(zero, a), b, zero)
            }

            #[inline(always)]
            fn multiply_add<S: Simd>(
                simd: S,
                a: Self::Vector<S>,
                b: Self::Vector<S>,
                c: Self::Vector<S>,
            ) -> Self::Vector<S> {
                simd.$multiply_add(a, b, c)
            }
        }
    };
}

lanes!(f32: f32s, F32_LANES, splat_f32s, less_than_f32s, select_f32s, mul_add_e_f32s,
       sum = add_f32s, difference = sub_f32s, product = mul_f32s);
lanes!(f64: f64s, F64_LANES, splat_f64s, less_than_f64s, select_f64s, mul_add_e_f64s,
       sum = add_f64s, difference = sub_f64s, product = mul_f64s);

/// How many values of `T` fit one register of this processor.
pub fn lanes_here<T: Lanes>() -> usize {
    struct Count<T>(std::marker::PhantomData<T>);
    impl<T: Lanes> WithSimd for Count<T> {
        type Output = usize;

        #[inline(always)]
        fn with_simd<S: Simd>(self, _: S) -> usize {
            T::lanes::<S>()
        }
    }
    Arch::new().dispatch(Count::<T>(std::marker::PhantomData))
}
