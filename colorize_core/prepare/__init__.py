"""What is made of pictures before anything is encoded: line maps, masks, regions, bleached references."""
