package config

// Parse lets the fuzz target do without a disk.
var Parse = parse
