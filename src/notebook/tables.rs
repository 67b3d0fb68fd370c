//! The report's tables in a notebook.

use super::{Bundle, Show};
use crate::error::Result;
use crate::report::table::Table;

impl Show for Table {
    fn bundle(&self) -> Result<Bundle> {
        Ok(Bundle { picture: None, html: Some(self.to_html()), text: self.to_string() })
    }
}
