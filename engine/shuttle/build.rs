fn main() {
    println!("cargo:rustc-cfg=shuttle");
    println!("cargo:rustc-check-cfg=cfg(shuttle, plant, fuzzing)");
}
