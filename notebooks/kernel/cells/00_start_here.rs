//! The cells of the lesson `00_start_here`; written by `TOALIGN_WRITE_CELLS=1 cargo test --test notebooks`.

#[rustfmt::skip]
fn lesson() -> Result<(), Box<dyn std::error::Error>> {
{ // cell 2
use toalign::config::RunConfig;
;
{ // cell 3
let config = RunConfig::mini();
println!("{} steps of {} + {} pictures", config.steps, config.batch_size, config.batch_size);
;
}}
Ok(())
}
