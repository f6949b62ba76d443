"""How much of the player is in view: a function that runs in the watch page."""

VISIBLE = """() => {
    const share = node => {
        const box = node.getBoundingClientRect();
        const width = Math.min(box.right, innerWidth) - Math.max(box.left, 0);
        const height = Math.min(box.bottom, innerHeight) - Math.max(box.top, 0);
        return Math.max(0, width) * Math.max(0, height) / (box.width * box.height);
    };
    const cameras = [...document.querySelectorAll(".camera")].map(item => item.getBoundingClientRect());
    return {
        play: share(document.querySelector(".play")),
        line: share(document.querySelector(".line input")),
        picture: share(document.querySelector("video")),
        height: document.querySelector("video").getBoundingClientRect().height / innerHeight,
        smallest: Math.min(...cameras.map(box => Math.min(box.width, box.height))),
        sideways: document.documentElement.scrollWidth - innerWidth,
    };
}"""
