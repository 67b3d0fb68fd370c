// What a kernel runs before the first cell, unseen. A panic prints its message only: the place would be a line of generated
// code, and a trace says nothing in a notebook.
std::panic::set_hook(Box::new(|panic| {
    let message = panic.payload_as_str().unwrap_or("a value that is not text");
    let place = match panic.location() {
        Some(at) if at.file() != "src/lib.rs" => format!(" ({}:{})", at.file(), at.line()),
        _ => String::new(),
    };
    let lines: Vec<&str> = message.lines().take(3).collect();
    eprintln!("Panic: {}{place}", lines.join("\n"));
}));
