"""Local models: catalogue and download, generation engines, the reader."""
