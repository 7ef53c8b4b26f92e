"""Real-time voice sessions with Azure Voice Live: a Rust audio core with a thin Python face."""
