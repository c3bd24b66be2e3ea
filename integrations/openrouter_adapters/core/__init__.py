"""What is known of OpenRouter and of no framework: pure functions on dicts, and one client that does I/O."""
