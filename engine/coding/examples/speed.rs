//! How long coding a body takes: `cargo run --release -p sennit-coding --example speed -- FILE [ROUNDS]`.

use std::time::Instant;

use sennit_coding::{encode_whole, Coding};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let body = std::fs::read(arguments.next().ok_or("FILE is missing")?)?;
    let rounds: u32 = arguments.next().map_or(Ok(200), |text| text.parse())?;
    for coding in [Coding::Gzip, Coding::Brotli, Coding::Zstd] {
        for level in coding.levels() {
            let mut size = encode_whole(coding, level, &body)?.len();
            let begin = Instant::now();
            for _ in 0..rounds {
                size = encode_whole(coding, level, &body)?.len();
            }
            let each = begin.elapsed() / rounds;
            println!("{:4} {level:2}: {size:7} bytes in {each:?}", coding.name());
        }
    }
    Ok(())
}
