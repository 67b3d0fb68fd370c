//! The report's charts and tables in a notebook.

use image::RgbImage;

use super::{Bundle, Figure, Show, raster};
use crate::error::Result;
use crate::report::plot::{Bars, Chart, GroupedBars};
use crate::report::table::Table;

impl Figure for Chart {
    fn title(&self) -> &str {
        &self.title
    }

    fn draw(&self) -> Result<RgbImage> {
        raster::pixels(&self.to_svg()?)
    }
}

impl Figure for Bars {
    fn title(&self) -> &str {
        &self.title
    }

    fn draw(&self) -> Result<RgbImage> {
        raster::pixels(&self.to_svg()?)
    }
}

impl Figure for GroupedBars {
    fn title(&self) -> &str {
        &self.title
    }

    fn draw(&self) -> Result<RgbImage> {
        raster::pixels(&self.to_svg()?)
    }
}

impl Show for Table {
    fn bundle(&self) -> Result<Bundle> {
        Ok(Bundle { picture: None, html: Some(self.to_html()), text: self.to_string() })
    }
}
