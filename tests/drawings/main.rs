//! Charts, grids and heat maps, checked by what is drawn.

mod attention;
mod bars;
mod curves;
mod grid;
mod grouped_bars;
mod overlay;
mod scatter;
mod signed_bars;
