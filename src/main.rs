//! The `anamnesis` program: parses the command line and runs.
fn main() {}
