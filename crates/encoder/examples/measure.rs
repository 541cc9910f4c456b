//! Measures the encoder on this machine: `cargo run --release -p anamnesis-encoder --example
//! measure -- MODEL_DIR`. Prints wall and CPU time per paragraph of about 130 wordpieces, the
//! latency of a short query, and how fast text is cut into chunks.

#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a program for the terminal")]

use std::path::Path;
use std::time::{Duration, Instant};

use anamnesis_encoder::Encoder;

const SENTENCE: &str = "She reports that the new medication helps her sleep through most nights. ";

/// User and system time of this process so far, all threads together.
fn cpu_time() -> Duration {
    // Fields 14 and 15 of proc(5) stat, in hundredths of a second; the name in field 2 may hold
    // spaces, so counting starts after its closing bracket. Zero where there is no /proc.
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields = stat.rsplit(')').next().unwrap_or_default().split_whitespace();
    let ticks: u64 = fields.skip(11).take(2).filter_map(|field| field.parse::<u64>().ok()).sum();
    Duration::from_millis(ticks * 10)
}

fn main() {
    let dir = std::env::args_os().nth(1).unwrap();
    let start = Instant::now();
    let encoder = Encoder::load(Path::new(&dir)).unwrap();
    println!("load: {:.0?}", start.elapsed());

    let paragraph = SENTENCE.repeat(10);
    let tokens = encoder.chunk(&paragraph).unwrap()[0].tokens;
    let paragraphs = vec![paragraph.as_str(); 400];
    let (start, cpu) = (Instant::now(), cpu_time());
    encoder.embed(&paragraphs).unwrap();
    println!(
        "paragraph of {tokens} wordpieces: {:.1?} wall, {:.1?} CPU",
        start.elapsed() / 400,
        cpu_time().saturating_sub(cpu) / 400
    );

    for query in ["sleep", "does anything help her get through the night without waking up?"] {
        let mut times: Vec<Duration> = (0..200)
            .map(|_| {
                let start = Instant::now();
                encoder.embed_here(&[query]).unwrap();
                start.elapsed()
            })
            .collect();
        times.sort();
        println!("query {query:?}: p50 {:.1?}, p95 {:.1?}", times[100], times[190]);
    }

    let text = SENTENCE.repeat(14_000);
    let start = Instant::now();
    let chunks = encoder.chunk(&text).unwrap().len();
    println!("{} bytes into {chunks} chunks: {:.0?}", text.len(), start.elapsed());
}
