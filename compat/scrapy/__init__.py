"""The same crawl by scrapy and by hyperlite: which pages each of them fetches."""
