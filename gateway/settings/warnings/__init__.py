"""What a configuration may have and is probably not meant: each module yields warnings about one subject."""
