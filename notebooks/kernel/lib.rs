//! The library as one dynamic library, for notebooks: every cell links to this one copy of it and of candle.

pub use toalign::*;
