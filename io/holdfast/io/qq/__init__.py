"""The adapter for the official QQ Bot platform."""
